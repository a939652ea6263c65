//! Global ids, and the trait of the types that have one.

use super::loaders::Row;
use crate::db::Visible;
use crate::error::{Error, Result};
use async_graphql::ID;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// A type of the API that shows the rows of one table.
pub trait Record: From<Row<Self::Entity>> + Send + Sync + 'static {
    /// The table.
    type Entity: Visible;
    /// The name of the GraphQL type.
    const NAME: &'static str;

    /// Returns the row.
    fn row(&self) -> &Row<Self::Entity>;
}

/// Returns the global id of the row of `T` with this id.
pub fn global_id<T: Record>(id: Uuid) -> ID {
    global_id_of(T::NAME, id)
}

/// Returns the global id of a row of the type with this name.
pub fn global_id_of(name: &str, id: Uuid) -> ID {
    ID(STANDARD.encode(format!("{name}:{id}")))
}

pub fn split_global_id(id: &str) -> Option<(String, Uuid)> {
    let text = String::from_utf8(STANDARD.decode(id).ok()?).ok()?;
    let (name, id) = text.split_once(':')?;
    // Only the canonical form is accepted, so that equal rows have equal ids.
    let uuid = Uuid::try_parse(id).ok().filter(|uuid| uuid.to_string() == id)?;
    Some((name.to_owned(), uuid))
}

/// Returns the row id of a `T` from a global id in an argument.
pub fn local_id<T: Record>(id: &ID) -> Result<Uuid> {
    match split_global_id(id) {
        Some((name, uuid)) if name == T::NAME => Ok(uuid),
        Some((name, _)) => {
            Err(Error::bad_input(format!("The id belongs to the type {}, not {}.", printable(&name), T::NAME)))
        }
        None => Err(Error::bad_input(format!(
            "This is not a global id: take one from the field `id` of the type {}.",
            T::NAME
        ))),
    }
}

/// Returns the row id from a global id of any type.
pub fn any_local_id(id: &ID) -> Result<Uuid> {
    let parts =
        split_global_id(id).ok_or_else(|| Error::bad_input("This is not a global id: take one from a field `id`."))?;
    Ok(parts.1)
}

/// Reduces a caller's text to letters and digits, at most 40, for use in a message.
fn printable(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}
