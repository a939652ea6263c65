//! Engagement: the sum of weighted events of each active person of a day.
//!
//! Invariant: the weights of a score never change, so that its figures follow from events alone.

mod define;
mod figures;
mod store;
mod weight;

pub use define::{NewEngagementScore, create_engagement_score};
pub use figures::{EngagementDay, engagement};
pub use store::EngagementScores;
pub use weight::{Weight, weights};
