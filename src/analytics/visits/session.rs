//! Sessions as they follow from events.

use crate::analytics::derived::{Sums, row_id};
use crate::analytics::person::Person;
use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use entity::{session_daily, visitor_sessions};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The longest time between two events of a session, inclusive.
pub(super) const MAX_GAP: TimeDelta = TimeDelta::minutes(30);

/// An event, as far as sessions depend on it. The order is that of time, and of recording at one instant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Happening {
    pub(super) at: DateTime<Utc>,
    pub(super) id: Uuid,
    /// The path of the page that was viewed; `None` if none was.
    pub(super) path: Option<String>,
    /// The page that led to it.
    pub(super) referrer: Option<String>,
}

/// Returns the sessions of a person that these events make.
pub(super) fn sessions(person: &Person, mut events: Vec<Happening>) -> Vec<visitor_sessions::Model> {
    events.sort();
    let mut sessions: Vec<visitor_sessions::Model> = Vec::new();
    for event in events {
        let at = event.at.fixed_offset();
        let is_new = sessions.last().is_none_or(|session| at - session.ended_at > MAX_GAP);
        if is_new {
            sessions.push(begin(person, event.at));
        }
        let Some(session) = sessions.last_mut() else { continue };
        session.ended_at = at;
        session.event_count += 1;
        if let Some(path) = event.path {
            if session.page_view_count == 0 {
                (session.first_page, session.referrer) = (Some(path), event.referrer);
            }
            session.page_view_count += 1;
        }
    }
    sessions
}

fn begin(person: &Person, at: DateTime<Utc>) -> visitor_sessions::Model {
    let key = match person {
        Person::User(id) => format!("user {id}"),
        Person::Visitor(id) => format!("visitor {id}"),
    };
    let started_at = at.to_rfc3339_opts(SecondsFormat::Nanos, true);
    visitor_sessions::Model {
        id: row_id("visitor_sessions", &[&key, &started_at]),
        user_id: person.user_id(),
        anonymous_id: person.anonymous_id().map(str::to_owned),
        day: at.date_naive(),
        started_at: at.fixed_offset(),
        ended_at: at.fixed_offset(),
        event_count: 0,
        page_view_count: 0,
        first_page: None,
        referrer: None,
    }
}

/// Returns the person of a session.
pub(super) fn person_of(session: &visitor_sessions::Model) -> Person {
    match (session.user_id, &session.anonymous_id) {
        (Some(id), _) => Person::User(id),
        (None, visitor) => Person::Visitor(visitor.clone().unwrap_or_default()),
    }
}

impl Sums for session_daily::Entity {
    fn id(row: &session_daily::Model) -> Uuid {
        row.id
    }

    fn sums(row: &mut session_daily::Model) -> Vec<&mut i64> {
        vec![
            &mut row.session_count,
            &mut row.people_count,
            &mut row.page_view_count,
            &mut row.bounce_count,
            &mut row.duration_us,
        ]
    }
}

/// Returns the sums by day over sessions, times `sign`: 1 or −1. The sessions of a person on a day are all or none of them.
pub(super) fn daily(sessions: &[&visitor_sessions::Model], sign: i64) -> Vec<session_daily::Model> {
    let mut people: BTreeSet<(NaiveDate, Person)> = BTreeSet::new();
    let mut days: BTreeMap<NaiveDate, session_daily::Model> = BTreeMap::new();
    for session in sessions {
        let row = days.entry(session.day).or_insert_with(|| empty_day(session.day));
        row.session_count += sign;
        row.page_view_count += sign * session.page_view_count;
        row.bounce_count += if session.event_count == 1 { sign } else { 0 };
        let duration = (session.ended_at - session.started_at).num_microseconds().unwrap_or(i64::MAX);
        row.duration_us = row.duration_us.saturating_add(sign.saturating_mul(duration));
        if people.insert((session.day, person_of(session))) {
            row.people_count += sign;
        }
    }
    days.into_values().collect()
}

/// Returns the sums of a day without sessions.
pub(super) fn empty_day(day: NaiveDate) -> session_daily::Model {
    session_daily::Model {
        id: row_id("session_daily", &[&day.to_string()]),
        day,
        session_count: 0,
        people_count: 0,
        page_view_count: 0,
        bounce_count: 0,
        duration_us: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(86_400 * 20_000 + seconds)
    }

    fn event(seconds: i64, path: Option<&str>) -> Happening {
        let id = Uuid::from_u128(u128::try_from(seconds).unwrap());
        Happening {
            at: at(seconds),
            id,
            path: path.map(str::to_owned),
            referrer: path.map(|path| format!("from {path}")),
        }
    }

    fn visitor() -> Person {
        Person::Visitor("v".to_owned())
    }

    #[test]
    fn a_gap_of_half_an_hour_is_within_a_session_and_a_longer_one_ends_it() {
        let counts = |seconds: &[i64]| {
            let events = seconds.iter().map(|seconds| event(*seconds, None)).collect();
            sessions(&visitor(), events).iter().map(|session| session.event_count).collect::<Vec<_>>()
        };
        assert_eq!(counts(&[]), [0; 0]);
        assert_eq!(counts(&[0, 1_800, 3_600]), [3]);
        assert_eq!(counts(&[0, 1_801, 3_601]), [1, 2]);
        // In any order of arrival.
        assert_eq!(counts(&[3_601, 0, 1_801]), [1, 2]);
    }

    #[test]
    fn a_session_has_the_first_page_that_was_viewed() {
        let events = vec![event(30, Some("/b")), event(0, None), event(10, Some("/a")), event(40, None)];
        let found = sessions(&visitor(), events);
        let [session] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((session.event_count, session.page_view_count), (4, 2));
        assert_eq!((session.first_page.as_deref(), session.referrer.as_deref()), (Some("/a"), Some("from /a")));
        assert_eq!((session.started_at, session.ended_at), (at(0).fixed_offset(), at(40).fixed_offset()));
        assert_eq!(person_of(session), visitor());
    }

    #[test]
    fn events_at_one_instant_are_in_the_order_of_recording() {
        let mut second = event(10, Some("/second"));
        second.id = Uuid::from_u128(99);
        let found = sessions(&visitor(), vec![second, event(10, Some("/first"))]);
        assert_eq!(found[0].first_page.as_deref(), Some("/first"));
    }

    #[test]
    fn a_session_counts_on_the_day_of_its_first_event() {
        let found = sessions(&visitor(), vec![event(86_399, None), event(86_401, None)]);
        assert_eq!((found.len(), found[0].day), (1, at(0).date_naive()));
        let days = daily(&found.iter().collect::<Vec<_>>(), 1);
        assert_eq!((days.len(), days[0].day, days[0].duration_us), (1, at(0).date_naive(), 2_000_000));
    }

    #[test]
    fn the_id_follows_from_the_person_and_the_start() {
        let id = |person: &Person, seconds: i64| sessions(person, vec![event(seconds, None)])[0].id;
        assert_eq!(id(&visitor(), 5), id(&visitor(), 5));
        assert_ne!(id(&visitor(), 5), id(&visitor(), 6));
        let user = Uuid::from_u128(7);
        assert_ne!(id(&Person::User(user), 5), id(&Person::Visitor(user.to_string()), 5));
    }

    #[test]
    fn sums_of_a_day_count_people_once_and_can_be_taken_back() {
        let events = vec![event(0, Some("/")), event(60, Some("/a")), event(9_000, None)];
        let [mut all, other] =
            [visitor(), Person::User(Uuid::from_u128(1))].map(|person| sessions(&person, events.clone()));
        all.extend(other);
        let all: Vec<&visitor_sessions::Model> = all.iter().collect();
        let sums = |sign| daily(&all, sign)[0].clone();
        let day = sums(1);
        assert_eq!((day.session_count, day.people_count, day.page_view_count), (4, 2, 4));
        assert_eq!((day.bounce_count, day.duration_us), (2, 120_000_000));
        let back = sums(-1);
        assert_eq!((back.session_count, back.people_count, back.page_view_count), (-4, -2, -4));
        assert_eq!((back.bounce_count, back.duration_us), (-2, -120_000_000));
    }
}
