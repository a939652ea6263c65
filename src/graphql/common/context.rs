//! The data that resolvers find in the context: the app, the caller and the caller's loaders.

use super::loaders::Loaders;
use crate::app::App;
use crate::auth::Viewer;
use async_graphql::Context;
use std::sync::Arc;

/// Access to the data that every request carries.
pub trait ContextExt<'a> {
    /// Returns the app.
    fn app(&self) -> &'a App;
    /// Returns the caller.
    fn viewer(&self) -> &'a Viewer;
    /// Returns the loaders of this operation.
    fn loaders(&self) -> &'a Loaders;
}

impl<'a> ContextExt<'a> for Context<'a> {
    fn app(&self) -> &'a App {
        self.data_unchecked::<Arc<App>>()
    }

    fn viewer(&self) -> &'a Viewer {
        self.loaders().viewer()
    }

    fn loaders(&self) -> &'a Loaders {
        self.data_unchecked::<Arc<Loaders>>()
    }
}
