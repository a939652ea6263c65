//! `tollgate schema`.

use crate::graphql;

/// Prints the schema in its definition language; needs neither settings nor a database.
pub(super) fn run() -> anyhow::Result<()> {
    print!("{}", graphql::sdl());
    Ok(())
}
