//! Long lists of names in a message: the nearest ones, and how many more there are.

/// How many names are listed.
const LISTED: usize = 10;
/// A longer name is cut; the column of a file that was split wrongly may be the whole file.
const CHARS_MAX: usize = 60;

/// The names that are nearest to `wanted`, the nearest first where not all of them are listed.
pub(crate) fn nearest(wanted: &str, names: &[impl AsRef<str>]) -> String {
    let mut names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    let n_more = names.len().saturating_sub(LISTED);
    if n_more > 0 {
        let wanted = wanted.to_lowercase();
        let is_near = |name: &str| {
            let start: String = name.chars().take(CHARS_MAX).collect();
            strsim::jaro_winkler(&start.to_lowercase(), &wanted)
        };
        let mut by_distance: Vec<(f64, &str)> =
            names.into_iter().map(|name| (is_near(name), name)).collect();
        by_distance.sort_by(|a, b| b.0.total_cmp(&a.0));
        names = by_distance.into_iter().map(|(_, name)| name).take(LISTED).collect();
    }
    let listed: Vec<String> = names.into_iter().map(cut).collect();
    let listed = listed.join(", ");
    if n_more > 0 { format!("{listed} and {n_more} more") } else { listed }
}

/// The beginning of a long name.
fn cut(name: &str) -> String {
    match name.char_indices().nth(CHARS_MAX) {
        None => name.to_owned(),
        Some((at, _)) => format!("{}… ({} bytes)", &name[..at], name.len()),
    }
}

/// The text of an error of Polars, with the nearest of the columns that it lists.
pub(crate) fn with_nearest_columns(message: &str) -> String {
    const LIST: &str = "valid columns: [";
    let Some((before, rest)) = message.split_once(LIST) else { return message.to_owned() };
    let Some((list, after)) = rest.rsplit_once(']') else { return message.to_owned() };
    let wanted = before.split('"').nth(1).unwrap_or_default();
    let names: Vec<&str> = list.split("\", \"").map(|name| name.trim_matches('"')).collect();
    format!("{before}valid columns: {}{after}", nearest(wanted, &names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_names_are_all_listed_in_their_order_and_many_by_nearness() {
        assert_eq!(nearest("zip", &["plz", "id"]), "plz, id");
        let many: Vec<String> = (0..100_000).map(|n| format!("column_{n}")).collect();
        let text = nearest("Column_7", &many);
        assert!(text.starts_with("column_7, column_"), "{text}");
        assert!(text.ends_with(" and 99990 more"), "{text}");
        assert!(text.len() < 300, "{}", text.len());
    }

    #[test]
    fn a_name_that_is_a_whole_file_is_cut() {
        let text = nearest("zip", &["ü".repeat(1 << 20)]);
        assert_eq!(text, format!("{}… (2097152 bytes)", "ü".repeat(60)));
    }

    #[test]
    fn the_columns_of_a_foreign_message_are_bounded() {
        let list: Vec<String> = (0..1000).map(|n| format!("{:?}", format!("c{n}"))).collect();
        let message = format!(
            "unable to find column \"c31\"; valid columns: [{}]\n\nDid you mean \"c3\"?",
            list.join(", ")
        );
        let text = with_nearest_columns(&message);
        assert!(text.starts_with("unable to find column \"c31\"; valid columns: c31, "), "{text}");
        assert!(text.ends_with(" and 990 more\n\nDid you mean \"c3\"?"), "{text}");
        assert_eq!(with_nearest_columns("no list"), "no list");
        let short = "valid columns: [\"a, b\", \"c\"]";
        assert_eq!(with_nearest_columns(short), "valid columns: a, b, c");
    }
}
