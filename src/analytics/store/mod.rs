//! Sums in SQL that both engines read alike, and the tables that hold them.

pub(super) mod cash;
pub(super) mod facts;
pub(super) mod marks;
pub(super) mod movements;
pub(super) mod recurring;
pub(super) mod retention;
pub(super) mod totals;
pub(super) mod trials;
