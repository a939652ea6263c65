//! The settings of documents that clients name instead of sending them.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::read::Reader;

/// The value of `format` in a manifest of Apollo's tools.
const APOLLO_FORMAT: &str = "apollo-persisted-query-manifest";

/// Documents that clients name instead of sending them.
#[derive(Debug, Clone)]
pub struct DocumentsConfig {
    /// The documents that the operator trusts.
    pub trusted: TrustedDocuments,
    /// The callers for whom no other documents run.
    pub trusted_only: TrustedOnly,
    /// Memory for documents that clients register by their hash, in bytes; 0 if they may not.
    pub registered_bytes: u64,
}

/// The callers for whom nothing but trusted documents runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustedOnly {
    /// No caller: everybody may run any document.
    Nobody,
    /// Callers without a credential.
    Anonymous,
    /// Every caller.
    Everyone,
}

/// The documents that the operator trusts, by their ids.
#[derive(Debug, Clone, Default)]
pub struct TrustedDocuments {
    by_id: HashMap<String, Arc<str>>,
    by_hash: HashMap<String, Arc<str>>,
}

impl TrustedDocuments {
    /// Returns the document with this id, or with this SHA-256 in hexadecimal.
    pub fn get(&self, id: &str) -> Option<&Arc<str>> {
        self.by_id.get(id).or_else(|| self.by_hash.get(id))
    }

    /// Returns whether this text is one of the documents.
    pub fn contains(&self, text: &str) -> bool {
        !self.by_hash.is_empty() && self.by_hash.contains_key(&sha256(text))
    }

    /// Returns every document with its id, in the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let sorted: BTreeMap<&str, &str> = self.by_id.iter().map(|(id, text)| (id.as_str(), &**text)).collect();
        sorted.into_iter()
    }

    /// Adds a document; fails if the id is that of another.
    fn add(&mut self, id: String, text: String) -> Result<(), String> {
        let text: Arc<str> = text.into();
        self.by_hash.insert(sha256(&text), Arc::clone(&text));
        match self.by_id.insert(id.clone(), Arc::clone(&text)) {
            Some(other) if other != text => Err(format!("It has two documents with the id {id:?}.")),
            _ => Ok(()),
        }
    }
}

/// Returns the SHA-256 of a text in hexadecimal.
fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Reads the settings of documents.
pub(super) fn documents(reader: &mut Reader) -> DocumentsConfig {
    let path = reader.text("trusted_documents");
    let trusted = path.as_deref().and_then(|path| match load(Path::new(path)) {
        Ok(documents) => Some(documents),
        Err(fault) => {
            reader.mistake("trusted_documents", Some(path), fault);
            None
        }
    });
    let choices =
        [("nobody", TrustedOnly::Nobody), ("anonymous", TrustedOnly::Anonymous), ("everyone", TrustedOnly::Everyone)];
    let trusted_only = reader.one_of("trusted_documents_only", &choices).unwrap_or(TrustedOnly::Nobody);
    if path.is_none() && trusted_only != TrustedOnly::Nobody {
        let word = reader.text("trusted_documents_only");
        let rule = "Set trusted_documents too: without it, nothing could run.";
        reader.mistake("trusted_documents_only", word.as_deref(), rule);
    }
    DocumentsConfig {
        trusted: trusted.unwrap_or_default(),
        trusted_only,
        registered_bytes: reader.number("apq_cache_bytes", 0..=1_073_741_824),
    }
}

/// Reads a directory or a manifest; fails with a sentence about the fault.
fn load(path: &Path) -> Result<TrustedDocuments, String> {
    let documents = if path.is_dir() { directory(path)? } else { manifest(path)? };
    if documents.by_id.is_empty() {
        return Err("It has no documents: `*.graphql` files in a directory, or entries in a manifest.".to_owned());
    }
    Ok(documents)
}

/// Reads the `*.graphql` files below a directory. The id of each is its path without the extension.
fn directory(root: &Path) -> Result<TrustedDocuments, String> {
    let mut documents = TrustedDocuments::default();
    for path in graphql_files(root).map_err(|error| format!("It cannot be read: {error}."))? {
        let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
        let id = path.strip_prefix(root).unwrap_or(&path).with_extension("");
        let id: Vec<_> = id.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        documents.add(id.join("/"), text)?;
    }
    Ok(documents)
}

/// Returns the `*.graphql` files below a directory, without hidden ones.
fn graphql_files(root: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut directories) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "graphql" || extension == "gql") {
                files.push(path);
            }
        }
    }
    Ok(files)
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("The file {} cannot be read: {error}.", path.display())
}

/// Reads a manifest: that of Apollo's tools, or an object of ids and texts.
fn manifest(path: &Path) -> Result<TrustedDocuments, String> {
    let text = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    let parsed = serde_json::from_slice(&text);
    let parsed =
        parsed.map_err(|error| format!("It is not JSON: error at line {} column {}.", error.line(), error.column()))?;
    let Value::Object(entries) = parsed else { return Err(format!("It is not a manifest. {FORMS}")) };
    let mut documents = TrustedDocuments::default();
    if entries.get("format").is_some_and(|format| format == APOLLO_FORMAT) {
        if entries.get("version").is_none_or(|version| version != 1) {
            return Err("Only version 1 of Apollo's manifest is known.".to_owned());
        }
        let operations = entries.get("operations").and_then(Value::as_array);
        for operation in operations.ok_or("It has no list of `operations`.")? {
            let field = |name: &str| operation.get(name).and_then(Value::as_str).map(str::to_owned);
            let (Some(id), Some(body)) = (field("id"), field("body")) else {
                return Err("Each of its operations must have an `id` and a `body`.".to_owned());
            };
            documents.add(id, body)?;
        }
        return Ok(documents);
    }
    for (id, text) in entries {
        let Value::String(text) = text else { return Err(format!("The entry {id:?} is not a text. {FORMS}")) };
        documents.add(id, text)?;
    }
    Ok(documents)
}

/// The forms of a manifest.
const FORMS: &str = "It must be Apollo's persisted query manifest, or an object of ids and documents.";
