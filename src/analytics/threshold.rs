//! The threshold of product analytics: groups of few people are hidden.
//!
//! A group of one to `analytics_minimum_group` − 1 people has no figures: neither their number nor anything that follows
//! from it, such as a rate or the number of their events. A part of a shown group is hidden too if the rest is small, since
//! a subtraction would give it. Zero is shown.

use crate::app::App;

/// The number of people from which on a group is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Threshold(i64);

impl Threshold {
    /// Returns the threshold of the settings.
    pub(super) fn of(app: &App) -> Threshold {
        Threshold(app.config.analytics_minimum_group)
    }

    /// Returns the number of people from which on a group is shown.
    pub(super) fn least(self) -> i64 {
        self.0
    }

    /// Returns whether a group is hidden.
    pub(super) fn hides(self, people: i64) -> bool {
        0 < people && people < self.0
    }

    /// Returns the number of people of a group; `None` for a small one.
    pub(super) fn group(self, people: i64) -> Option<i64> {
        (!self.hides(people)).then_some(people)
    }

    /// Returns the number of people of a part of `whole`, which is shown; `None` if the part or the rest is small.
    pub(super) fn part(self, part: i64, whole: i64) -> Option<i64> {
        self.group(part).filter(|_| !self.hides(whole - part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_below_the_threshold_are_hidden() {
        let shown = |least: i64| (0..7).filter_map(|people| Threshold(least).group(people)).collect::<Vec<_>>();
        assert_eq!(shown(5), [0, 5, 6]);
        assert_eq!(shown(1), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_part_that_leaves_a_small_rest_is_hidden() {
        let parts = (0..=12).filter_map(|part| Threshold(5).part(part, 12)).collect::<Vec<_>>();
        assert_eq!(parts, [0, 5, 6, 7, 12]);
    }
}
