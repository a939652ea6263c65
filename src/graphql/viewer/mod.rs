//! The caller: their account, plan and subscription.

pub mod plan;
pub mod root;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "ViewerQueryRoots")]
pub struct Query(root::ViewerQuery);
