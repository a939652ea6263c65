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
