//! The distribution of a score over the active people of each day.

use super::store::{self, Scored};
use super::weight::weights;
use crate::analytics::range::Range;
use crate::analytics::threshold::Threshold;
use crate::app::App;
use crate::auth::{Permission, Viewer};
use crate::error::Result;
use crate::subscriptions::Exact;
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// The scores of the people who were active on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngagementDay {
    /// The UTC day.
    pub day: NaiveDate,
    /// The number of active people; `None` for few, as the other figures.
    pub people: Option<i64>,
    /// The mean score.
    pub mean: Option<Exact>,
    /// The score that a quarter of the people do not exceed, half of them, and three quarters, between two by proportion.
    pub quartiles: Option<[Exact; 3]>,
}

/// Returns the scores by the definition with this code on the UTC days in `[from, to)`; `None` if there is none. Days
/// without active people have no row.
pub async fn engagement(
    app: &App,
    viewer: &Viewer,
    code: &str,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Option<Vec<EngagementDay>>> {
    viewer.require(Permission::AnalyticsRead)?;
    let range = Range::new(from, to)?;
    let snapshot = app.db.snapshot().await?;
    let Some(score) = store::by_code(&snapshot, code).await? else { return Ok(None) };
    let mut scored: BTreeMap<NaiveDate, Vec<Scored>> = BTreeMap::new();
    for row in store::scored(&snapshot, &weights(&score)?, range).await? {
        scored.entry(row.day).or_default().push(row);
    }
    let threshold = Threshold::of(app);
    let days = store::active(&snapshot, range).await?.into_iter().map(|(day, people)| {
        let scored = scored.remove(&day).unwrap_or_default();
        match threshold.group(people) {
            None => EngagementDay { day, people: None, mean: None, quartiles: None },
            people @ Some(count) => {
                let scores = Scores::new(count, &scored);
                EngagementDay { day, people, mean: Some(scores.mean()), quartiles: Some(scores.quartiles()) }
            }
        }
    });
    Ok(Some(days.collect()))
}

/// The scores of at least one person, ascending, each with its number of people.
struct Scores {
    people: i64,
    scores: Vec<(i64, i64)>,
}

impl Scores {
    /// Collects the scores; active people without a weighted event have the score 0.
    fn new(people: i64, scored: &[Scored]) -> Scores {
        let others = people - scored.iter().map(|row| row.people).sum::<i64>();
        let scores = scored.iter().map(|row| (row.score, row.people));
        Scores { people, scores: [(0, others)].into_iter().chain(scores).collect() }
    }

    fn mean(&self) -> Exact {
        let sum = self.scores.iter().map(|(score, people)| i128::from(*score) * i128::from(*people)).sum();
        Exact::new(sum, self.people.into())
    }

    /// Returns the quartiles: at (people − 1) · q / 4 places from the lowest, between two places by proportion.
    fn quartiles(&self) -> [Exact; 3] {
        [1, 2, 3].map(|quarter| {
            let place = (self.people - 1) * quarter;
            let (low, part) = (self.at(place / 4), place % 4);
            let next = if part == 0 { low } else { self.at(place / 4 + 1) };
            Exact::new(i128::from(4 * low + (next - low) * part), 4)
        })
    }

    /// Returns the score at a place, from 0 for the lowest.
    fn at(&self, place: i64) -> i64 {
        let mut passed = 0;
        for (score, people) in &self.scores {
            passed += people;
            if place < passed {
                return *score;
            }
        }
        self.scores.last().map_or(0, |(score, _)| *score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_are_between_two_people_by_proportion() {
        let row = |score, people| Scored { day: NaiveDate::MIN, score, people };
        let quartiles = |people, scored: &[Scored]| Scores::new(people, scored).quartiles();
        let exact = |numerator, denominator| Exact::new(numerator, denominator);
        assert_eq!(quartiles(1, &[row(7, 1)]), [exact(7, 1), exact(7, 1), exact(7, 1)]);
        // 0, 0, 3, 10: places 0.75, 1.5 and 2.25.
        assert_eq!(quartiles(4, &[row(3, 1), row(10, 1)]), [exact(0, 1), exact(3, 2), exact(19, 4)]);
        assert_eq!(quartiles(5, &[row(1, 2), row(4, 3)]), [exact(1, 1), exact(4, 1), exact(4, 1)]);
        assert_eq!(Scores::new(4, &[row(3, 1), row(10, 1)]).mean(), exact(13, 4));
    }
}
