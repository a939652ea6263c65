//! Sessions, page views and counts of events, by their definitions.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Addresses of pages, and their paths.
pub(super) const PAGES: [(&str, &str); 7] = [
    ("/", "/"),
    ("/a?x=1", "/a"),
    ("/a#top", "/a"),
    ("https://shop.example/a?b=/c", "/a"),
    ("http://shop.example", "/"),
    ("?q=1", "/"),
    ("/b/c#d?e", "/b/c"),
];
pub(super) const NAMES: [&str; 3] = ["visit", "try", "buy"];

/// A user or a visitor, as an event was sent: true for a user.
pub(super) type Person = (bool, String);

/// An event as it was sent, in the order of recording.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) person: Person,
    pub(super) name: &'static str,
    pub(super) at: DateTime<Utc>,
    pub(super) page: Option<usize>,
    pub(super) referrer: Option<String>,
    /// The dedupe key; by default the number of the event.
    pub(super) key: Option<String>,
}

/// All events that were sent, and the users whom visitors turned out to be.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) events: Vec<Sent>,
    pub(super) users: BTreeMap<String, String>,
}

/// A session, by the definition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Session {
    pub(super) person: Person,
    pub(super) started_at: DateTime<Utc>,
    pub(super) ended_at: DateTime<Utc>,
    pub(super) events: i64,
    pub(super) page_views: i64,
    pub(super) first_page: Option<String>,
    pub(super) referrer: Option<String>,
}

impl Facts {
    fn person(&self, event: &Sent) -> Person {
        let user = self.users.get(&event.person.1).filter(|_| !event.person.0);
        user.map_or_else(|| event.person.clone(), |user| (true, user.clone()))
    }

    pub(super) fn sessions(&self) -> Vec<Session> {
        let mut people: BTreeMap<Person, Vec<&Sent>> = BTreeMap::new();
        for event in &self.events {
            people.entry(self.person(event)).or_default().push(event);
        }
        let mut sessions = Vec::new();
        for (person, mut events) in people {
            events.sort_by_key(|event| event.at);
            let runs = events.chunk_by(|before, after| after.at - before.at <= TimeDelta::minutes(30));
            sessions.extend(runs.map(|run| {
                let mut pages = run.iter().filter(|event| event.page.is_some());
                let first = pages.clone().next();
                Session {
                    person: person.clone(),
                    started_at: run[0].at,
                    ended_at: run[run.len() - 1].at,
                    events: i64::try_from(run.len()).unwrap(),
                    page_views: i64::try_from(pages.by_ref().count()).unwrap(),
                    first_page: first.map(|event| PAGES[event.page.unwrap()].1.to_owned()),
                    referrer: first.and_then(|event| event.referrer.clone()),
                }
            }));
        }
        sessions
    }

    /// The answer about the sessions of each day from `from` on, with exact numbers of microseconds for the mean.
    pub(super) fn days(&self, from: NaiveDate) -> Vec<Value> {
        let mut days: BTreeMap<NaiveDate, Vec<Session>> = BTreeMap::new();
        for session in self.sessions().into_iter().filter(|session| session.started_at.date_naive() >= from) {
            days.entry(session.started_at.date_naive()).or_default().push(session);
        }
        let day = |(day, sessions): (NaiveDate, Vec<Session>)| {
            let count = i64::try_from(sessions.len()).unwrap();
            let people: BTreeSet<&Person> = sessions.iter().map(|session| &session.person).collect();
            let bounces = i64::try_from(sessions.iter().filter(|session| session.events == 1).count()).unwrap();
            let seconds: i64 =
                sessions.iter().map(|session| (session.ended_at - session.started_at).num_seconds()).sum();
            json!({"day": day, "sessionCount": count, "peopleCount": people.len(),
                "pageViewCount": sessions.iter().map(|session| session.page_views).sum::<i64>(),
                "bounceRate": decimal(bounces, count), "meanDurationSeconds": decimal(seconds, count)})
        };
        days.into_iter().map(day).collect()
    }

    pub(super) fn counts(&self) -> Vec<Value> {
        let mut found: BTreeMap<(NaiveDate, &str), (i64, BTreeSet<Person>)> = BTreeMap::new();
        for event in &self.events {
            let (events, people) = found.entry((event.at.date_naive(), event.name)).or_default();
            *events += 1;
            people.insert(self.person(event));
        }
        let count = |((day, name), (events, people)): ((NaiveDate, &str), (i64, BTreeSet<Person>))| json!({"day": day, "name": name, "eventCount": events, "peopleCount": people.len()});
        found.into_iter().map(count).collect()
    }

    pub(super) fn pages(&self) -> Vec<Value> {
        let mut found: BTreeMap<&str, (i64, BTreeSet<Person>)> = BTreeMap::new();
        for event in &self.events {
            if let Some(page) = event.page {
                let (views, people) = found.entry(PAGES[page].1).or_default();
                *views += 1;
                people.insert(self.person(event));
            }
        }
        let mut pages: Vec<_> = found.into_iter().collect();
        pages.sort_by_key(|(path, (views, _))| (-views, *path));
        let page = |(path, (views, people)): (&str, (i64, BTreeSet<Person>))| json!({"path": path, "viewCount": views, "peopleCount": people.len()});
        pages.into_iter().map(page).collect()
    }
}

/// A ratio as a decimal number of at most twelve places, rounded half up.
fn decimal(numerator: i64, denominator: i64) -> String {
    let (numerator, denominator) = (i128::from(numerator), i128::from(denominator));
    let trillionths = (2 * numerator * 1_000_000_000_000 + denominator).div_euclid(2 * denominator);
    let text = format!("{}.{:012}", trillionths / 1_000_000_000_000, trillionths % 1_000_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
