//! The configuration, read from a file and the environment and validated once at start.

mod costs;
mod database;
mod documents;
mod help;
mod jwt;
mod load;
mod network;
mod providers;
mod read;
#[cfg(test)]
mod read_tests;
mod serving;
mod setting;
mod settings;
mod settings_of_analytics;
mod settings_of_providers;
#[cfg(test)]
mod tests;
mod values;

pub use costs::{CostConfig, CostLimits};
pub use database::{DatabaseConfig, DatabaseUrl};
pub use documents::{DocumentsConfig, TrustedDocuments, TrustedOnly};
pub use help::{example, help};
pub use jwt::{JwksSource, JwtAlgorithm, JwtConfig, JwtKeys};
pub use load::{Config, ConfigErrors};
pub(crate) use network::is_loopback;
pub use network::{CorsOrigins, OutgoingConfig, ProxyConfig};
pub use providers::{PaddleConfig, Providers, STRIPE_MAX_PAUSE, STRIPE_TRIES, StripeConfig};
pub use serving::{
    Introspection, LicenceConfig, LimitsConfig, LiveConfig, LogConfig, LogFormat, SpentCredits, TrackingConsent,
    TransportConfig,
};
pub use values::{Environment, Secret};
