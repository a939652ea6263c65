//! Requests about many things, of which each is recorded or refused by itself.

use crate::error::{Error, Result};
use std::collections::HashSet;
use uuid::Uuid;

/// The outcome for a thing that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracked {
    /// It was recorded.
    Recorded,
    /// One with its dedupe key is known, and nothing changed.
    Duplicate,
}

/// Things, or their outcomes, with their places in the request.
pub(super) type Placed<T> = Vec<(usize, T)>;

/// Checks things one by one. Returns those that passed, and the refusals of the others; any other error fails the request.
pub(super) fn check_each<I, T>(
    things: Vec<I>,
    mut check: impl FnMut(I) -> Result<T>,
) -> Result<(Placed<T>, Placed<Error>)> {
    let (mut passed, mut refused) = (Vec::with_capacity(things.len()), Vec::new());
    for (place, thing) in things.into_iter().enumerate() {
        match check(thing) {
            Ok(thing) => passed.push((place, thing)),
            Err(error @ Error::Refused(_)) => refused.push((place, error)),
            Err(error) => return Err(error),
        }
    }
    Ok((passed, refused))
}

/// Returns the outcomes of things with these ids, of which the new ones were `recorded`.
pub(super) fn tracked(
    things: impl IntoIterator<Item = (usize, Uuid)>,
    recorded: &HashSet<Uuid>,
) -> Placed<Result<Tracked>> {
    let outcome = |id: Uuid| if recorded.contains(&id) { Tracked::Recorded } else { Tracked::Duplicate };
    things.into_iter().map(|(place, id)| (place, Ok(outcome(id)))).collect()
}

/// Returns the outcomes of things and the refusals of the others, in the order of the request.
pub(super) fn in_order<O>(mut outcomes: Placed<Result<O>>, refused: Placed<Error>) -> Vec<Result<O>> {
    outcomes.extend(refused.into_iter().map(|(place, error)| (place, Err(error))));
    outcomes.sort_by_key(|(place, _)| *place);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}
