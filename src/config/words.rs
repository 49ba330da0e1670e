//! Words for messages: quoted values, lists, and the word that was probably meant.

/// Longest value that a message repeats, characters.
const SHOWN: usize = 40;

/// The value in quotes, escaped, shortened.
pub(super) fn quoted(value: &str) -> String {
    let mut chars = value.chars();
    let start: String = chars.by_ref().take(SHOWN).collect();
    let rest = if chars.next().is_some() { "..." } else { "" };
    format!("\"{}{rest}\"", start.escape_debug())
}

/// `"a", "b", "c"`.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quoted).collect::<Vec<_>>().join(", ")
}

/// `; did you mean "b"?`, or what there is to choose from.
pub(super) fn suggestion<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let written: String = written.to_lowercase().chars().take(SHOWN * 2).collect();
    let best = known
        .clone()
        .into_iter()
        .map(|word| (strsim::jaro_winkler(&written, &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, word)) = best {
        return format!("; did you mean {}?", quoted(word));
    }
    let known: Vec<&str> = known.into_iter().collect();
    match known.len() {
        0 => "; there is none".to_owned(),
        1..=25 => format!("; known: {}", list(known)),
        n => format!("; {n} are known, such as {}", list(known.into_iter().take(5))),
    }
}

/// Names that stand in topics, metrics and file names: cameras and models.
pub(super) const NAME: &str = "^[a-z0-9_-]{1,64}$";

/// Does it match [`NAME`]?
pub(super) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// What is fit for labels and devices: no quote, control character, `/`, or wildcard of MQTT gets into a topic.
pub(super) fn is_label(text: &str) -> bool {
    (1..=64).contains(&text.chars().count())
        && text.trim() == text
        && text.chars().all(|c| c.is_alphanumeric() || " _-.,()&".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_strange_values_are_shortened_and_escaped() {
        assert_eq!(quoted("a\n\"\u{1b}b"), r#""a\n\"\u{1b}b""#);
        assert_eq!(quoted(&"x".repeat(1 << 20)), format!("\"{}...\"", "x".repeat(40)));
    }

    #[test]
    fn the_likeliest_word_is_offered() {
        assert_eq!(suggestion("gpu_only", ["gpu-only", "any"]), "; did you mean \"gpu-only\"?");
        assert_eq!(suggestion("zzz", ["gpu-only", "any"]), "; known: \"gpu-only\", \"any\"");
        assert_eq!(suggestion("zzz", []), "; there is none");
    }

    #[test]
    fn names_and_labels() {
        for (text, name, label) in [
            ("gate-1_a", true, true),
            ("traffic light", false, true),
            ("Größe", false, true),
            ("", false, false),
            (" a", false, false),
            ("a/b", false, false),
            ("+", false, false),
            ("#", false, false),
            ("a\"b", false, false),
            ("a\nb", false, false),
            ("\u{1f600}", false, false),
        ] {
            assert_eq!((is_name(text), is_label(text)), (name, label), "{text:?}");
        }
        assert!(!is_name(&"a".repeat(65)));
    }
}
