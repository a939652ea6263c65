//! Licence keys (`TG-` and six groups of five characters) and gift codes (`TGG-` and six groups), which people read out and
//! type in.
//!
//! The first two groups identify the row and may be shown. The rest is secret. The last character is a checksum.

use std::fmt;
use std::marker::PhantomData;

use rand::CryptoRng;

use super::key::{fast_hash, is_same};

/// Crockford's base 32: digits and letters without I, L, O and U. <https://www.crockford.com/base32.html>
const ALPHABET: [char; 32] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'M', 'N', 'P',
    'Q', 'R', 'S', 'T', 'V', 'W', 'X', 'Y', 'Z',
];

/// The purpose of a key.
pub trait Purpose {
    /// The beginning of each key, for people and secret scanners. Without I, L and O, which are read as digits.
    const MARK: &'static str;
}

/// The purpose of licence keys.
#[derive(Clone)]
pub struct OfLicence;

impl Purpose for OfLicence {
    const MARK: &'static str = "TG";
}

/// The purpose of gift codes.
#[derive(Clone)]
pub struct OfGift;

impl Purpose for OfGift {
    const MARK: &'static str = "TGG";
}

/// A licence key.
pub type LicenseKeySecret = SpokenKey<OfLicence>;
/// A gift code.
pub type GiftCode = SpokenKey<OfGift>;

const GROUP: usize = 5;
/// The first two groups: 50 bits, so that two keys among millions rarely share them.
const PREFIX_LENGTH: usize = 2 * GROUP;
/// The prefix, 19 characters of secret (95 bits, too many to guess) and the checksum.
const LENGTH: usize = 6 * GROUP;
/// Maximum length of a typed key, including separators.
const MAX_INPUT_BYTES: usize = 100;

/// A complete key, which exists only while it is created or checked.
#[derive(Clone)]
pub struct SpokenKey<P> {
    /// The thirty characters, without mark and dashes.
    text: String,
    purpose: PhantomData<P>,
}

impl<P: Purpose> SpokenKey<P> {
    /// Generates a key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut drawn = [0; LENGTH - 1];
        rng.fill_bytes(&mut drawn);
        let mut values = drawn.map(|byte| byte % 32).to_vec();
        values.push(twice(checksum(&values)));
        let text = values.into_iter().map(|value| ALPHABET[usize::from(value)]).collect();
        SpokenKey { text, purpose: PhantomData }
    }

    /// Parses a key as people type it: in any case, with or without dashes and spaces, with O for 0, and I or L for 1.
    /// Returns `None` if it has another form or the checksum is wrong.
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.len() > MAX_INPUT_BYTES {
            return None;
        }
        let letters =
            typed.chars().filter(|char| !matches!(char, '-' | ' ')).map(|char| match char.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            });
        let plain: String = letters.collect();
        let text = plain.strip_prefix(P::MARK)?;
        let values: Vec<u8> = text.chars().map(value).collect::<Option<_>>()?;
        (values.len() == LENGTH && checksum(&values) == 0)
            .then(|| SpokenKey { text: text.to_owned(), purpose: PhantomData })
    }

    /// Returns the public part, which identifies the key in lists: the mark and two groups.
    pub fn prefix(&self) -> String {
        grouped(P::MARK, &self.text[..PREFIX_LENGTH])
    }

    /// Returns the hash to store: SHA-256 of the key in lower-case hex. It includes the prefix, so that no two keys can be
    /// tried at once.
    pub fn hash(&self) -> String {
        fast_hash(&self.text)
    }

    /// Compares the key with a stored hash in constant time.
    pub fn matches(&self, stored_hash: &str) -> bool {
        is_same(&self.hash(), stored_hash)
    }

    /// Returns the complete key, to be shown to its owner.
    pub fn expose(&self) -> String {
        grouped(P::MARK, &self.text)
    }
}

impl<P: Purpose> fmt::Debug for SpokenKey<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-[not shown]", self.prefix())
    }
}

fn grouped(mark: &str, text: &str) -> String {
    let mut key = mark.to_owned();
    for (index, char) in text.chars().enumerate() {
        if index.is_multiple_of(GROUP) {
            key.push('-');
        }
        key.push(char);
    }
    key
}

fn value(char: char) -> Option<u8> {
    ALPHABET.iter().position(|known| *known == char).and_then(|position| u8::try_from(position).ok())
}

/// Returns zero for the values of a valid key. Each value is multiplied by a different power of two in the field of 32
/// elements, so one wrong character and two swapped characters are always detected.
fn checksum(values: &[u8]) -> u8 {
    values.iter().fold(0, |sum, value| twice(sum) ^ value)
}

/// Doubles `value` in the field of 32 elements (modulo x^5 + x^2 + 1).
fn twice(value: u8) -> u8 {
    let doubled = value << 1;
    if doubled & 0b10_0000 == 0 { doubled } else { doubled ^ 0b10_0101 }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    fn key(seed: u64) -> LicenseKeySecret {
        LicenseKeySecret::generate(&mut ChaCha20Rng::seed_from_u64(seed))
    }

    #[test]
    fn a_key_is_parsed_in_every_spelling_and_matches_its_own_hash_alone() {
        let (one, other) = (key(1), key(2));
        let text = one.expose();
        assert_eq!(text.len(), 2 + 6 * 6);
        assert!(text.starts_with(&format!("{}-", one.prefix())) && one.prefix().len() == 2 + 2 * 6);
        let typed = [
            text.clone(),
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            format!(" {} ", text.replace('-', " - ")),
            text.replace('0', "O").replace('1', "l"),
            text.replace('0', "o").replace('1', "I"),
        ];
        for typed in typed {
            let read = LicenseKeySecret::parse(&typed).unwrap_or_else(|| panic!("{typed}"));
            assert!(read.matches(&one.hash()) && !read.matches(&other.hash()) && !read.matches(""), "{typed}");
            assert_eq!(read.prefix(), one.prefix());
        }
        assert_eq!(one.hash().len(), 64);
        assert!(!format!("{one:?}").contains(&text[14..]));
    }

    #[test]
    fn one_wrong_character_and_two_swapped_ones_are_always_detected() {
        for seed in 0..20 {
            let text = key(seed).text;
            for at in 0..LENGTH {
                for wrong in ALPHABET.iter().filter(|char| !text[at..].starts_with(**char)) {
                    let typed = format!("TG{}{wrong}{}", &text[..at], &text[at + 1..]);
                    assert!(LicenseKeySecret::parse(&typed).is_none(), "{typed}");
                }
                for other in at + 1..LENGTH {
                    let mut chars: Vec<char> = text.chars().collect();
                    chars.swap(at, other);
                    let typed: String = chars.iter().collect();
                    assert_eq!(LicenseKeySecret::parse(&format!("TG{typed}")).is_some(), typed == text, "{typed}");
                }
            }
        }
    }

    #[test]
    fn another_form_is_no_key() {
        let key = key(3).expose();
        let long = format!("{key}{}", " ".repeat(100));
        let wrong = ["", "TG", "TG-", &key[3..], &key[..37], &format!("{key}0"), &key.replace("TG", "TX"), &long];
        for text in
            wrong.into_iter().chain([key.replace(&key[20..21], "é"), key.replace('-', "_")].iter().map(|it| &**it))
        {
            assert!(LicenseKeySecret::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_licence_is_no_gift() {
        let gift = GiftCode::generate(&mut ChaCha20Rng::seed_from_u64(4));
        assert!(gift.expose().starts_with("TGG-") && gift.expose().len() == 3 + 6 * 6);
        assert!(GiftCode::parse(&gift.expose().to_lowercase()).is_some_and(|read| read.matches(&gift.hash())));
        assert!(LicenseKeySecret::parse(&gift.expose()).is_none() && GiftCode::parse(&key(3).expose()).is_none());
    }
}
