//! The person of a row that belongs to a user or to a visitor, who may turn out to be a user.

use crate::analytics::person::Person;
use crate::error::{Error, Result};
use sea_orm::QueryResult;

/// The columns of the person of a row `e`, whose visitor has the alias `a`.
pub(in crate::analytics) const PERSON: &str = "COALESCE(e.user_id, a.user_id) AS user_id, \
     CASE WHEN e.user_id IS NULL AND a.user_id IS NULL THEN e.anonymous_id END AS anonymous_id";
/// The join of a row `e` with its alias.
pub(in crate::analytics) const ALIAS: &str = "LEFT JOIN identity_aliases a ON a.anonymous_id = e.anonymous_id";

/// Reads the person of a row with the columns of [`PERSON`].
pub(in crate::analytics) fn person(row: &QueryResult) -> Result<Person> {
    let visitor = || row.try_get("", "anonymous_id").map(Person::Visitor).map_err(Error::from);
    row.try_get::<Option<_>>("", "user_id")?.map(Person::User).map_or_else(visitor, Ok)
}
