//! The stand-in over HTTP: its API, its pages, and the delivery of its events.

pub(crate) mod api;
pub(crate) mod delivery;
pub(crate) mod expand;
pub(crate) mod faults;
pub(crate) mod idempotency;
pub(crate) mod lists;
pub(crate) mod pages;
pub(crate) mod requests;
pub(crate) mod routes;
pub(crate) mod views;
