//! Global ids, and the trait of the types that have them.

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
    /// The name of the type.
    const NAME: &'static str;

    /// The row itself.
    fn row(&self) -> &Row<Self::Entity>;
}

/// The global id of the row of `T` with this id.
pub fn global_id<T: Record>(id: Uuid) -> ID {
    global_id_of(T::NAME, id)
}

/// The global id of the row with this id, of a type known by name alone.
pub fn global_id_of(name: &str, id: Uuid) -> ID {
    ID(STANDARD.encode(format!("{name}:{id}")))
}

pub fn split_global_id(id: &str) -> Option<(String, Uuid)> {
    let text = String::from_utf8(STANDARD.decode(id).ok()?).ok()?;
    let (name, id) = text.split_once(':')?;
    // One form alone, so that equal things have equal ids.
    let uuid = Uuid::try_parse(id).ok().filter(|uuid| uuid.to_string() == id)?;
    Some((name.to_owned(), uuid))
}

/// The id in the table of a row of `T`, from a global id that an argument holds.
pub fn local_id<T: Record>(id: &ID) -> Result<Uuid> {
    match split_global_id(id) {
        Some((name, uuid)) if name == T::NAME => Ok(uuid),
        Some((name, _)) => {
            Err(Error::bad_input(format!("this id is one of the type {}, not {}", printable(&name), T::NAME)))
        }
        None => Err(Error::bad_input(format!("this is not an id; take one of the type {} from the field id", T::NAME))),
    }
}

/// The id in the table from a global id of whatever type.
pub fn any_local_id(id: &ID) -> Result<Uuid> {
    let parts = split_global_id(id).ok_or_else(|| Error::bad_input("this is not an id; take it from a field id"))?;
    Ok(parts.1)
}

/// A caller's text in a message: short, and nothing but letters.
fn printable(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(40).collect()
}
