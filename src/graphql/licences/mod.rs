//! License keys and the devices that use them.

pub mod license_key;
pub mod mutations;
pub mod payloads;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "LicencesQuery")]
pub struct Query(license_key::LicenceQuery);

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "LicencesMutation")]
pub struct Mutation(mutations::LicenceMutation);
