//! `tollgate schema`.

use crate::graphql;
use clap::Args;

/// Prints the GraphQL schema.
#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Print it as a subgraph of Apollo Federation 2, to compose a supergraph.
    #[arg(long)]
    federation: bool,
}

impl Schema {
    /// Prints the schema in its definition language; needs neither settings nor a database.
    pub(super) fn run(&self) -> anyhow::Result<()> {
        match self.federation {
            true => print!("{}", graphql::subgraph_sdl()?),
            false => print!("{}", graphql::sdl()),
        }
        Ok(())
    }
}
