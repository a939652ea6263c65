//! Funnels (metrics v1, section 6).

use super::event::check_names;
use super::store::{self, Step};
use crate::analytics::person::Person;
use crate::analytics::range::Range;
use crate::analytics::threshold::Threshold;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::{Error, Result};
use crate::subscriptions::Exact;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::TryStreamExt;
use std::pin::pin;

/// The maximum window, in days.
const MAX_WINDOW_DAYS: i64 = 366;

/// A funnel over a range of days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Funnel {
    /// The names of the events, in their order: 2 to 10.
    pub steps: Vec<String>,
    /// The longest time from the first step to any other.
    pub window: TimeDelta,
    /// The first UTC day of the first step.
    pub from: NaiveDate,
    /// The UTC day after the last one of the first step.
    pub to: NaiveDate,
}

/// The people who came to one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunnelStep {
    /// The name of the event.
    pub name: String,
    /// The number of people who came to it. Each counts once. `None` for few, and where few went no further.
    pub people: Option<i64>,
    /// Those people per people of the step before; `None` for the first step, without any before, or if one is hidden.
    pub of_previous: Option<Exact>,
    /// Those people per people of the first step; `None` without any, or if one is hidden.
    pub of_first: Option<Exact>,
}

/// Returns the steps of a funnel. Users and visitors count, each once, with the steps after their best first one.
pub async fn funnel(app: &App, viewer: &Viewer, funnel: Funnel) -> Result<Vec<FunnelStep>> {
    viewer.require(Permission::AnalyticsRead)?;
    let checked = check_steps(&funnel.steps).and_then(|()| check_window(funnel.window));
    checked.map_err(|error| Error::bad_input(error.to_string()))?;
    let range = Range::new(funnel.from, funnel.to)?;
    let (from, to) = (start_of(range.from), start_of(range.to));
    // The window is inclusive.
    let end = to + funnel.window;
    let steps = store::steps(app.db.read(), &funnel.steps, from, end).await?;
    let mut steps = pin!(steps);
    let mut depths = vec![0_i64; funnel.steps.len()];
    let mut current: Option<(Person, Walk)> = None;
    while let Some(step) = steps.try_next().await? {
        if current.as_ref().is_none_or(|(person, _)| *person != step.person) {
            let walk = Walk { reached: vec![None; funnel.steps.len()], depth: 0 };
            finish(current.replace((step.person.clone(), walk)), &mut depths);
        }
        if let Some((_, walk)) = &mut current {
            walk.take(&funnel, to, &step);
        }
    }
    finish(current, &mut depths);
    Ok(results(funnel.steps, &depths, Threshold::of(app)))
}

/// Checks the steps of a funnel.
pub(in crate::analytics) fn check_steps(steps: &[String]) -> Result<()> {
    if (2..=10).contains(&steps.len()) && check_names(steps).is_ok() {
        return Ok(());
    }
    let message = "`steps` must have 2 to 10 names of events, each 1 to 64 bytes long, without control characters and \
         surrounding spaces.";
    Err(Error::refused("STEPS_INVALID", &["steps"], message))
}

/// Checks the window of a funnel.
pub(in crate::analytics) fn check_window(window: TimeDelta) -> Result<()> {
    if window >= TimeDelta::zero() && window <= TimeDelta::days(MAX_WINDOW_DAYS) {
        return Ok(());
    }
    let message = "`windowSeconds` must be 0 to 31,622,400, which is 366 days.";
    Err(Error::refused("WINDOW_INVALID", &["windowSeconds"], message))
}

/// The way of one person through the steps.
struct Walk {
    /// For each step that was reached, the latest instant of a first step from which it was.
    reached: Vec<Option<DateTime<Utc>>>,
    /// The number of steps reached.
    depth: usize,
}

impl Walk {
    /// Takes the person's next event. From several first steps, the latest leaves the most time, and so decides.
    fn take(&mut self, funnel: &Funnel, end: DateTime<Utc>, event: &Step) {
        // From the last step on, so that an event is one step, also where a name stands for several.
        for at in (0..funnel.steps.len()).rev().filter(|at| funnel.steps[*at] == event.name) {
            let begun = match at.checked_sub(1) {
                None => (event.occurred_at < end).then_some(event.occurred_at),
                Some(before) => self.reached[before].filter(|begun| event.occurred_at - *begun <= funnel.window),
            };
            if let Some(begun) = begun {
                self.reached[at] = self.reached[at].max(Some(begun));
                self.depth = self.depth.max(at + 1);
            }
        }
    }
}

/// Counts a person at each step that was reached.
fn finish(person: Option<(Person, Walk)>, depths: &mut [i64]) {
    let depth = person.map_or(0, |(_, walk)| walk.depth);
    depths.iter_mut().take(depth).for_each(|people| *people += 1);
}

fn results(names: Vec<String>, depths: &[i64], threshold: Threshold) -> Vec<FunnelStep> {
    let mut last_shown = None;
    let people = depths.iter().map(|people| {
        let shown = last_shown.map_or_else(|| threshold.group(*people), |whole| threshold.part(*people, whole));
        last_shown = shown.or(last_shown);
        shown
    });
    let people: Vec<Option<i64>> = people.collect();
    let ratio = |people: Option<i64>, of: Option<i64>| {
        let (people, of) = people.zip(of).filter(|(_, of)| *of > 0)?;
        Some(Exact::new(people.into(), of.into()))
    };
    let steps = names.into_iter().zip(&people).enumerate().map(|(at, (name, shown))| FunnelStep {
        name,
        people: *shown,
        of_previous: at.checked_sub(1).and_then(|before| ratio(*shown, people[before])),
        of_first: ratio(*shown, people[0]),
    });
    steps.collect()
}

fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc()
}
