//! Limits on one document. They are counted before anything that a hostile document could make exponential: each
//! fragment is counted once and its totals are reused at every spread.

use std::collections::HashMap;

use apollo_compiler::ast::{Definition, Document, Field, FragmentDefinition, Selection};

use crate::graphql::engine::{
    cost::CostSettings,
    errors::{RequestError, code},
};

/// The limits on an accepted document, all inclusive.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Lexical tokens, without spaces, commas and comments.
    pub tokens: usize,
    /// Levels of braces, brackets and parentheses that the parser descends.
    pub recursion: usize,
    /// Levels of fields, counted from the root field; fragments add no level.
    pub depth: usize,
    /// Levels of fields below `__schema` and `__type`, which nest deeply by nature.
    pub introspection_depth: usize,
    /// Aliased fields and `__typename`, counted at each use of a fragment.
    pub aliases: usize,
    /// Fields and fragments, with each fragment expanded at each of its uses.
    pub selections: usize,
    /// Errors in one reply.
    pub errors: usize,
    /// Bytes of the longest text that is cached.
    pub cached_text_bytes: usize,
    /// Bytes of all cached texts; their parsed form takes about thirty times as much.
    pub cache_bytes: u64,
    /// The costs of operations.
    pub costs: CostSettings,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            tokens: 2_000,
            recursion: 200,
            depth: 12,
            introspection_depth: 20,
            aliases: 30,
            selections: 5_000,
            errors: 20,
            cached_text_bytes: 32 * 1024,
            cache_bytes: 1024 * 1024,
            costs: CostSettings::default(),
        }
    }
}

impl Limits {
    /// Refuses a document over a limit, by its syntax alone.
    pub(super) fn check(&self, document: &Document) -> Result<(), Vec<RequestError>> {
        let mut counter = Counter { fragments: HashMap::new() };
        for definition in &document.definitions {
            if let Definition::FragmentDefinition(fragment) = definition {
                counter.fragments.entry(fragment.name.as_str()).or_insert(Fragment::Unseen(fragment));
            }
        }
        let mut found = Count::default();
        for definition in &document.definitions {
            found = found.max(match definition {
                Definition::OperationDefinition(operation) => counter.selections(&operation.selection_set, false),
                Definition::FragmentDefinition(fragment) => counter.fragment(&fragment.name),
                _ => continue,
            });
        }
        let over = [
            ("selections", found.selections, self.selections),
            ("aliases", found.aliases, self.aliases),
            ("levels of fields", found.depth, self.depth),
            ("levels of introspection", found.introspection_depth, self.introspection_depth),
        ];
        match over.into_iter().find(|(_, found, limit)| found > limit) {
            Some((what, found, limit)) => Err(vec![over_limit(what, found, limit)]),
            None => Ok(()),
        }
    }
}

/// Creates the error for a document over a limit.
pub(super) fn over_limit(what: &str, found: usize, limit: usize) -> RequestError {
    RequestError::new(code::VALIDATION, format!("The document has {found} {what}; the limit is {limit}."))
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    selections: usize,
    aliases: usize,
    depth: usize,
    introspection_depth: usize,
}

impl Count {
    fn max(self, other: Count) -> Count {
        Count {
            selections: self.selections.max(other.selections),
            aliases: self.aliases.max(other.aliases),
            ..self.deepest(other)
        }
    }

    fn deepest(self, other: Count) -> Count {
        Count {
            depth: self.depth.max(other.depth),
            introspection_depth: self.introspection_depth.max(other.introspection_depth),
            ..self
        }
    }

    /// Adds a count in the same selection set.
    fn beside(self, other: Count) -> Count {
        Count {
            selections: self.selections.saturating_add(other.selections),
            aliases: self.aliases.saturating_add(other.aliases),
            ..self.deepest(other)
        }
    }
}

enum Fragment<'a> {
    Unseen(&'a FragmentDefinition),
    /// Being counted: a spread of it from here is a cycle, which validation reports.
    Open,
    Counted(Count),
}

struct Counter<'a> {
    fragments: HashMap<&'a str, Fragment<'a>>,
}

impl<'a> Counter<'a> {
    fn selections(&mut self, selections: &'a [Selection], introspection: bool) -> Count {
        selections.iter().fold(Count::default(), |count, selection| {
            count.beside(match selection {
                Selection::Field(field) => self.field(field, introspection),
                Selection::InlineFragment(inline) => one_more(self.selections(&inline.selection_set, introspection)),
                Selection::FragmentSpread(spread) => one_more(self.fragment(&spread.fragment_name)),
            })
        })
    }

    fn field(&mut self, field: &'a Field, introspection: bool) -> Count {
        let introspection = introspection || matches!(field.name.as_str(), "__schema" | "__type");
        let mut count = one_more(self.selections(&field.selection_set, introspection));
        count.aliases = count.aliases.saturating_add(usize::from(field.alias.is_some()));
        let depth = if introspection { &mut count.introspection_depth } else { &mut count.depth };
        *depth += 1;
        count
    }

    fn fragment(&mut self, name: &str) -> Count {
        let fragment = match self.fragments.get_mut(name) {
            None | Some(Fragment::Open) => return Count::default(),
            Some(Fragment::Counted(count)) => return *count,
            Some(state) => match std::mem::replace(state, Fragment::Open) {
                Fragment::Unseen(fragment) => fragment,
                _ => return Count::default(),
            },
        };
        let count = self.selections(&fragment.selection_set, fragment.type_condition.starts_with("__"));
        if let Some(state) = self.fragments.get_mut(name) {
            *state = Fragment::Counted(count);
        }
        count
    }
}

fn one_more(count: Count) -> Count {
    Count { selections: count.selections.saturating_add(1), ..count }
}

/// Returns the number of tokens in `text`, or the first number over `limit`.
pub(super) fn count_tokens(text: &str, limit: usize) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut tokens) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        let rest = bytes.get(at..).unwrap_or_default();
        let (length, counts) = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0xEF | 0xBB | 0xBF => (1, 0),
            b'#' => (rest.iter().position(|&byte| byte == b'\n' || byte == b'\r').unwrap_or(rest.len()), 0),
            b'"' if rest.starts_with(b"\"\"\"") => (block_string(rest), 1),
            b'"' => (string(rest), 1),
            b'.' => (rest.iter().take(3).take_while(|&&byte| byte == b'.').count(), 1),
            b'-' | b'0'..=b'9' => (rest.iter().take_while(|&&byte| is_number(byte)).count(), 1),
            byte if is_word(byte) => (rest.iter().take_while(|&&byte| is_word(byte)).count(), 1),
            _ => (1, 1),
        };
        at += length;
        tokens += counts;
        if tokens > limit {
            break;
        }
    }
    tokens
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_number(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b'+' | b'-')
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            b'\n' => return at,
            _ => at += 1,
        }
    }
    rest.len()
}

fn block_string(rest: &[u8]) -> usize {
    let mut at = 3;
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        if tail.starts_with(b"\\\"\"\"") {
            at += 4;
        } else if tail.starts_with(b"\"\"\"") {
            return at + 3;
        } else {
            at += 1;
        }
    }
    rest.len()
}
