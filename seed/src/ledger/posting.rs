//! The parts of a posting.

use uuid::Uuid;

/// Credits of a grant that move from one bucket to another.
pub(super) struct Move {
    /// The index of the grant among the rows.
    pub(super) place: usize,
    pub(super) amount: i64,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
}

impl Move {
    pub(super) fn of((place, amount): (usize, i64), from: &'static str, to: &'static str) -> Move {
        Move { place, amount, from, to }
    }
}

/// The cause of a transaction.
#[derive(Default, Clone)]
pub(super) struct Cause {
    pub(super) actor: String,
    pub(super) reason: Option<String>,
    pub(super) reference: Option<(String, String)>,
    pub(super) reverses_id: Option<Uuid>,
}

impl Cause {
    /// Returns the cause of what time alone brings.
    pub(super) fn time() -> Cause {
        Cause { actor: "system:ledger".to_owned(), ..Cause::default() }
    }
}
