//! The fingerprint that errors of one cause have in common.

use sha2::{Digest, Sha256};

/// The longest message of a group, in characters.
const MAX_CHARS: usize = 500;

/// Returns the fingerprint of an error: of the host application's own if it gives one, otherwise of the type and the
/// general message.
pub(super) fn fingerprint(error_type: &str, message: &str, own: Option<&str>) -> String {
    let digest = match own {
        Some(own) => Sha256::digest(format!("own\n{own}")),
        None => Sha256::digest(format!("general\n{error_type}\n{}", general(message))),
    };
    hex::encode(&digest[..16])
}

/// Returns a message without the parts that differ from case to case: words with a digit, such as numbers, ids and
/// addresses, become `#`, and quoted text becomes `""`. Spaces become one.
pub(super) fn general(message: &str) -> String {
    let mut found = String::new();
    let mut rest = message.chars().peekable();
    let mut word = String::new();
    while let Some(next) = rest.next() {
        if next.is_alphanumeric() || next == '_' {
            word.push(next);
            continue;
        }
        // An apostrophe within a word is no quotation mark.
        let is_quote = matches!(next, '"' | '`') || (next == '\'' && word.is_empty());
        end_word(&mut found, &mut word);
        if is_quote {
            for skipped in rest.by_ref() {
                if skipped == next {
                    break;
                }
            }
            found.push_str("\"\"");
        } else if !next.is_whitespace() {
            found.push(next);
        } else if !found.ends_with(' ') {
            found.push(' ');
        }
    }
    end_word(&mut found, &mut word);
    found.trim().chars().take(MAX_CHARS).collect()
}

fn end_word(found: &mut String, word: &mut String) {
    if !word.chars().any(|letter| letter.is_ascii_digit()) {
        found.push_str(word);
    } else if !found.ends_with('#') {
        found.push('#');
    }
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::{fingerprint, general};

    #[test]
    fn variable_parts_are_left_out() {
        assert_eq!(general("User 4711 not found"), "User # not found");
        assert_eq!(general("card card_1Nq8 of \"Ann Lee\" was  declined"), "card # of \"\" was declined");
        assert_eq!(general("can't read 'a b'\n at line 12:7"), "can't read \"\" at line #:#");
        assert_eq!(general("no quote's end `here"), "no quote's end \"\"");
        assert_eq!(general("id 3f2a-99b1-0c"), "id #-#-#");
        assert_eq!(general(&"é".repeat(900)).chars().count(), 500);
        assert_eq!(general("  "), "");
    }

    #[test]
    fn a_group_is_of_one_type_and_one_general_message() {
        let of = |error_type, message| fingerprint(error_type, message, None);
        assert_eq!(of("Timeout", "after 3 s"), of("Timeout", "after 10 s"));
        assert_ne!(of("Timeout", "after 3 s"), of("Declined", "after 3 s"));
        assert_ne!(of("Timeout", "after 3 s"), of("Timeout", "before 3 s"));
        assert_eq!(fingerprint("A", "x", Some("mine")), fingerprint("B", "y", Some("mine")));
        assert_ne!(fingerprint("A", "x", Some("mine")), fingerprint("A", "x", Some("yours")));
    }
}
