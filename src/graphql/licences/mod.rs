//! License keys and the devices that use them.

pub mod device;
pub mod license_key;
pub mod mutations;
pub mod payloads;
pub mod status;

use async_graphql::MergedObject;

/// The query roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "LicencesQueryRoots")]
pub struct Query(license_key::LicenceQuery, status::LicenceStatusQuery);

/// The mutation roots of this feature.
#[derive(MergedObject, Default)]
#[graphql(name = "LicencesMutationRoots")]
pub struct Mutation(mutations::LicenceMutation);
