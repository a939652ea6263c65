//! Documents that clients name instead of sending them: those that the operator trusts, and those that clients registered
//! before by their hash (Apollo's automatic persisted queries).

use std::sync::Arc;

use quick_cache::{Weighter, sync::Cache};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::{
    auth::Viewer,
    config::{DocumentsConfig, TrustedDocuments, TrustedOnly},
    graphql::engine::{
        errors::{RequestError, code},
        execute::{Operation, Reply},
    },
};

/// Estimate of the number of registered documents.
const EXPECTED_DOCUMENTS: usize = 1_000;

/// The document of a request, as the client refers to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DocumentRef {
    /// The text.
    Text(String),
    /// The id of a trusted document.
    Id(String),
    /// The hash of a document, and the text if it is to be registered.
    Hash(String, Option<String>),
}

/// An operation whose document may be a reference.
#[derive(Debug)]
pub(super) struct SentOperation {
    pub(super) document: DocumentRef,
    pub(super) operation_name: Option<String>,
    pub(super) variables: Map<String, Value>,
}

/// The documents that clients may name.
pub struct StoredDocuments {
    trusted: TrustedDocuments,
    trusted_only: TrustedOnly,
    /// The registered documents by their SHA-256; `None` if clients may not register any.
    registered: Option<Cache<[u8; 32], Arc<str>, ByLength>>,
}

#[derive(Clone)]
struct ByLength;

impl Weighter<[u8; 32], Arc<str>> for ByLength {
    fn weight(&self, hash: &[u8; 32], text: &Arc<str>) -> u64 {
        u64::try_from(hash.len().saturating_add(text.len())).unwrap_or(u64::MAX)
    }
}

impl StoredDocuments {
    /// Creates the store with the trusted documents of the settings.
    pub(super) fn new(config: &DocumentsConfig) -> Self {
        let registered = match config.registered_bytes {
            0 => None,
            bytes => Some(Cache::with_weighter(EXPECTED_DOCUMENTS, bytes, ByLength)),
        };
        StoredDocuments { trusted: config.trusted.clone(), trusted_only: config.trusted_only, registered }
    }

    /// Returns the operation with the text of its document, or the reply that refuses it.
    pub(super) fn find(&self, sent: SentOperation, viewer: &Viewer) -> Result<Operation, Box<Reply>> {
        let SentOperation { document, operation_name, variables } = sent;
        let found = match self.is_limited(viewer) {
            true => self.trusted(document),
            false => self.any(document),
        };
        match found {
            Ok(query) => Ok(Operation { query, operation_name, variables }),
            Err(error) => Err(Box::new(Reply::rejected(vec![error]))),
        }
    }

    /// Returns whether nothing but trusted documents runs for a caller.
    fn is_limited(&self, viewer: &Viewer) -> bool {
        match self.trusted_only {
            TrustedOnly::Nobody => false,
            TrustedOnly::Anonymous => !viewer.is_signed_in(),
            TrustedOnly::Everyone => true,
        }
    }

    fn trusted(&self, document: DocumentRef) -> Result<String, RequestError> {
        let found = match document {
            DocumentRef::Text(text) => self.trusted.contains(&text).then_some(text),
            DocumentRef::Id(id) | DocumentRef::Hash(id, None) => self.by_id(&id),
            DocumentRef::Hash(hash, Some(text)) => {
                digest_of(&hash, &text)?;
                self.trusted.contains(&text).then_some(text)
            }
        };
        found.ok_or_else(|| {
            let message =
                "Only trusted documents run for this caller, and this is none. Send the `documentId` of one of them.";
            RequestError::new(code::DOCUMENT_NOT_TRUSTED, message)
        })
    }

    fn any(&self, document: DocumentRef) -> Result<String, RequestError> {
        match document {
            DocumentRef::Text(text) => Ok(text),
            DocumentRef::Id(id) => self.by_id(&id).ok_or_else(|| {
                let message = "No trusted document has this `documentId`. Send the document in `query`.";
                RequestError::new(code::PERSISTED_QUERY_NOT_FOUND, message)
            }),
            DocumentRef::Hash(hash, None) => {
                if let Some(text) = self.by_id(&hash) {
                    return Ok(text);
                }
                let registered = self.registered.as_ref().ok_or_else(not_supported)?;
                let text = parse_digest(&hash).and_then(|digest| registered.get(&digest));
                // Apollo's clients know the error by this message.
                let missing = || RequestError::new(code::PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound");
                text.map(|text| (*text).to_owned()).ok_or_else(missing)
            }
            DocumentRef::Hash(hash, Some(text)) => {
                let digest = digest_of(&hash, &text)?;
                if let Some(registered) = &self.registered {
                    registered.insert(digest, text.as_str().into());
                }
                Ok(text)
            }
        }
    }

    /// Returns the trusted document with an id. A hash may name its algorithm, as in `sha256:ab…`.
    fn by_id(&self, id: &str) -> Option<String> {
        let text = self.trusted.get(id).or_else(|| self.trusted.get(id.strip_prefix("sha256:")?))?;
        Some((**text).to_owned())
    }
}

/// Creates the error after which clients send documents without hashes.
pub(super) fn not_supported() -> RequestError {
    RequestError::new(code::PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")
}

/// Returns the SHA-256 of a text; fails if it is not the hash that the client sent.
fn digest_of(hash: &str, text: &str) -> Result<[u8; 32], RequestError> {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    if parse_digest(hash) == Some(digest) {
        return Ok(digest);
    }
    let message = "`sha256Hash` is not the SHA-256 of the document in `query`: compute it from the same text.";
    Err(RequestError::new(code::PERSISTED_QUERY_MISMATCH, message))
}

fn parse_digest(hash: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(hash, &mut digest).ok()?;
    Some(digest)
}
