//! Names of people who do not exist.

pub(super) const GIVEN_NAMES: [&str; 64] = [
    "Anna", "Ben", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Ines", "Jonas", "Kira", "Liam", "Mia", "Noah",
    "Olivia", "Paul", "Quinn", "Rosa", "Samuel", "Tara", "Uma", "Victor", "Wanda", "Xenia", "Yusuf", "Zoe", "Amir",
    "Bianca", "Carlos", "Daria", "Emil", "Fatima", "Gustav", "Hana", "Ivan", "Julia", "Kenji", "Laura", "Marco",
    "Nadia", "Oscar", "Priya", "Rafael", "Sofia", "Thomas", "Valerie", "William", "Yara", "Akira", "Beatriz", "Chen",
    "Diego", "Esther", "Finn", "Greta", "Hassan", "Iris", "Jakob", "Leila", "Mateo", "Nora", "Petra", "Ravi", "Sara",
];

pub(super) const FAMILY_NAMES: [&str; 64] = [
    "Adler", "Baker", "Costa", "Dubois", "Eriksen", "Fischer", "Garcia", "Hansen", "Ito", "Jensen", "Keller", "Lopez",
    "Moreau", "Novak", "Olsen", "Patel", "Quist", "Rossi", "Schmidt", "Tanaka", "Ueda", "Vargas", "Weber", "Young",
    "Zhang", "Ahmed", "Bianchi", "Cruz", "Diaz", "Evans", "Fontaine", "Gupta", "Hoffmann", "Ivanov", "Johnson", "Kim",
    "Larsen", "Meyer", "Nguyen", "Ortega", "Peters", "Reed", "Silva", "Turner", "Vogel", "Walker", "Yamada", "Zimmer",
    "Almeida", "Brandt", "Clarke", "Dietrich", "Engel", "Ferrari", "Gomez", "Huber", "Iyer", "Jones", "Klein",
    "Lindgren", "Martin", "Nilsson", "Oliveira", "Park",
];

/// Domains that are reserved for examples (RFC 2606), by weight.
pub(super) const DOMAINS: [(i64, &str); 3] = [(70, "example.com"), (18, "example.org"), (12, "example.net")];

/// Locales by weight.
pub(super) const LOCALES: [(i64, &str); 10] = [
    (38, "en-US"),
    (14, "en-GB"),
    (14, "de-DE"),
    (8, "fr-FR"),
    (6, "es-ES"),
    (5, "it-IT"),
    (4, "nl-NL"),
    (5, "pt-BR"),
    (4, "ja-JP"),
    (2, "sv-SE"),
];
