//! Sums over payments and subscriptions.

pub mod summary;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "AnalyticsQueryRoots")]
pub struct Query(summary::AnalyticsQuery);
