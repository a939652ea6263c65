//! Sessions of marked people, made again from the events.

use super::session::{Happening, MAX_GAP, sessions};
use super::store::{self, marks::MarkedDay};
use crate::analytics::person::Person;
use crate::error::Result;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use entity::visitor_sessions;
use sea_orm::ConnectionTrait;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The marked days of each person. A visitor who turned out to be a user is that user.
pub(super) type Owners = BTreeMap<Person, BTreeSet<NaiveDate>>;

/// Returns the people of marks as they are known now.
pub(super) async fn owners(db: &impl ConnectionTrait, marks: impl IntoIterator<Item = MarkedDay>) -> Result<Owners> {
    let marks: Vec<MarkedDay> = marks.into_iter().collect();
    let visitors: BTreeSet<&str> = marks.iter().filter_map(|(person, _)| person.anonymous_id()).collect();
    let visitors: Vec<&str> = visitors.into_iter().collect();
    let users = if visitors.is_empty() { BTreeMap::new() } else { store::users_of(db, &visitors).await? };
    let mut owners = Owners::new();
    for (person, day) in marks {
        let user = person.anonymous_id().and_then(|visitor| users.get(visitor)).copied();
        owners.entry(user.map_or(person, Person::User)).or_default().insert(day);
    }
    Ok(owners)
}

/// The sessions of people around their marked days.
#[derive(Debug, Default)]
pub(super) struct Refreshed {
    /// The stored ones. Of each of these people and days it has all that are stored, or none.
    pub(super) before: Vec<visitor_sessions::Model>,
    /// Those of the same people and days as they follow from the events.
    pub(super) after: Vec<visitor_sessions::Model>,
}

/// A time of one person, from the first instant until before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Interval {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl Interval {
    fn has(self, session: &visitor_sessions::Model) -> bool {
        session.started_at < self.to && session.ended_at >= self.from
    }

    fn days(self) -> impl Iterator<Item = NaiveDate> {
        let last = (self.to - TimeDelta::microseconds(1)).date_naive();
        self.from.date_naive().iter_days().take_while(move |day| *day <= last)
    }
}

/// Returns the sessions of these people around their marked days. `owners` has all marked days of a person, or the others
/// are dealt with later.
pub(super) async fn refresh(
    db: &impl ConnectionTrait,
    owners: &[(&Person, &BTreeSet<NaiveDate>)],
) -> Result<Refreshed> {
    let identities = identities(db, owners).await?;
    let near = near(db, owners, &identities).await?;
    let intervals: Vec<Vec<Interval>> =
        owners.iter().zip(&near).map(|((_, days), near)| intervals(days, near)).collect();
    let mut touched = BTreeSet::new();
    for (number, intervals) in intervals.iter().enumerate() {
        for day in intervals.iter().flat_map(|interval| interval.days()) {
            touched.extend(identities[number].iter().map(|person| (number, person, day)));
        }
    }
    let touched: Vec<_> = touched.into_iter().collect();
    let mut refreshed = Refreshed::default();
    for (number, session) in store::sessions_on(db, &touched).await? {
        if !intervals[number].iter().any(|interval| interval.has(&session)) {
            refreshed.after.push(session.clone());
        }
        refreshed.before.push(session);
    }
    let mut events: Vec<Vec<Vec<Happening>>> =
        intervals.iter().map(|intervals| vec![Vec::new(); intervals.len()]).collect();
    for (number, event) in store::events_on(db, &touched).await? {
        let at = intervals[number].iter().position(|interval| interval.from <= event.at && event.at < interval.to);
        if let Some(at) = at {
            events[number][at].push(event);
        }
    }
    for ((owner, _), events) in owners.iter().zip(events) {
        refreshed.after.extend(events.into_iter().flat_map(|events| sessions(owner, events)));
    }
    Ok(refreshed)
}

/// Returns the user and the visitors that each person is.
async fn identities(db: &impl ConnectionTrait, owners: &[(&Person, &BTreeSet<NaiveDate>)]) -> Result<Vec<Vec<Person>>> {
    let users: Vec<Uuid> = owners.iter().filter_map(|(owner, _)| owner.user_id()).collect();
    let mut visitors: BTreeMap<Uuid, Vec<Person>> = BTreeMap::new();
    for (user, visitor) in store::visitors_of(db, &users).await? {
        visitors.entry(user).or_default().push(Person::Visitor(visitor));
    }
    let identities = owners.iter().map(|(owner, _)| {
        let visitors = owner.user_id().and_then(|user| visitors.remove(&user)).unwrap_or_default();
        [vec![(*owner).clone()], visitors].concat()
    });
    Ok(identities.collect())
}

/// Returns the stored sessions that may touch the marked days of each person.
async fn near(
    db: &impl ConnectionTrait,
    owners: &[(&Person, &BTreeSet<NaiveDate>)],
    identities: &[Vec<Person>],
) -> Result<Vec<Vec<visitor_sessions::Model>>> {
    let mut days = Vec::new();
    for (number, (_, marked)) in owners.iter().enumerate() {
        days.extend(identities[number].iter().flat_map(|person| marked.iter().map(move |day| (number, person, *day))));
    }
    let mut near = vec![Vec::new(); owners.len()];
    let on = store::sessions_on(db, &days).await?;
    for (number, session) in on.into_iter().chain(store::sessions_beside(db, &days).await?) {
        near[number].push(session);
    }
    Ok(near)
}

/// Returns the times whose events can be in other sessions than before: the marked days, and the stored sessions that an
/// event on them can join. Only touching sessions can change, since new events are on marked days.
fn intervals(days: &BTreeSet<NaiveDate>, near: &[visitor_sessions::Model]) -> Vec<Interval> {
    let mut intervals: Vec<Interval> = Vec::new();
    for day in days {
        let from = day.and_time(chrono::NaiveTime::MIN).and_utc();
        let mut interval = Interval { from, to: from + TimeDelta::days(1) };
        let reach = Interval { from: interval.from - MAX_GAP, to: interval.to + MAX_GAP };
        for session in near.iter().filter(|session| reach.has(session)) {
            interval.from = interval.from.min(session.started_at.into());
            interval.to = interval.to.max(session.ended_at.to_utc() + TimeDelta::microseconds(1));
        }
        intervals.push(interval);
    }
    intervals.sort();
    let mut merged: Vec<Interval> = Vec::new();
    for interval in intervals {
        match merged.last_mut() {
            Some(last) if interval.from <= last.to + MAX_GAP => last.to = last.to.max(interval.to),
            _ => merged.push(interval),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64, minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + day) + TimeDelta::minutes(minute)
    }

    /// A stored session between two instants.
    fn session(from: DateTime<Utc>, to: DateTime<Utc>) -> visitor_sessions::Model {
        let event = |at| Happening { at, id: Uuid::nil(), path: None, referrer: None };
        let mut session = sessions(&Person::Visitor("v".to_owned()), vec![event(from)]).remove(0);
        session.ended_at = to.fixed_offset();
        session
    }

    fn times(days: &[i64], near: &[visitor_sessions::Model]) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
        let days = days.iter().map(|day| at(*day, 0).date_naive()).collect();
        intervals(&days, near).into_iter().map(|interval| (interval.from, interval.to)).collect()
    }

    #[test]
    fn a_marked_day_alone_is_its_own_time() {
        assert_eq!(times(&[0], &[]), [(at(0, 0), at(1, 0))]);
        assert_eq!(times(&[0, 5], &[]), [(at(0, 0), at(1, 0)), (at(5, 0), at(6, 0))]);
        assert_eq!(times(&[0, 1], &[]), [(at(0, 0), at(2, 0))], "neighbours are one time");
    }

    #[test]
    fn sessions_that_an_event_of_the_day_can_join_belong_to_it() {
        let micro = TimeDelta::microseconds(1);
        let evening = session(at(-1, 1_380), at(-1, 1_410));
        assert_eq!(times(&[0], &[evening]), [(at(-1, 1_380), at(1, 0))], "half an hour before midnight");
        let earlier = session(at(-1, 1_380), at(-1, 1_409));
        assert_eq!(times(&[0], &[earlier]), [(at(0, 0), at(1, 0))]);
        let morning = session(at(1, 29), at(1, 50));
        assert_eq!(times(&[0], &[morning]), [(at(0, 0), at(1, 50) + micro)]);
        let later = session(at(1, 30), at(1, 50));
        assert_eq!(times(&[0], &[later]), [(at(0, 0), at(1, 0))], "no event before midnight can join it");
    }

    #[test]
    fn a_session_between_two_marked_days_makes_them_one_time() {
        let night = session(at(0, 1_430), at(2, 5));
        assert_eq!(times(&[0, 2], &[night]), [(at(0, 0), at(3, 0))]);
    }

    #[test]
    fn a_time_has_each_day_that_it_touches() {
        let days = |from, to| Interval { from, to }.days().collect::<Vec<_>>();
        assert_eq!(days(at(0, 0), at(1, 0)), [at(0, 0).date_naive()]);
        let micro = TimeDelta::microseconds(1);
        assert_eq!(days(at(0, 1_439), at(1, 0) + micro), [at(0, 0).date_naive(), at(1, 0).date_naive()]);
    }
}
