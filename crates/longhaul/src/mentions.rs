//! What hints, help and guides speak of exists: commands, flags, settings, files, make targets.
//!
//! Read are the texts of all crates (not those of their tests), the help of the flags, and the code of
//! README and guides. A command is what follows `longhaul`, a flag what begins with `--`, a setting what
//! begins with a section of the pipeline file and a dot.
#![expect(clippy::disallowed_methods, reason = "test code")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use crate::flags::Flags;
use crate::settings::known_keys;

/// The guides.
const GUIDES: [&str; 2] = ["README.md", "pipelines/imports/README.md"];
/// Crates whose texts are of other programs, or of none.
const OTHER_PROGRAMS: [&str; 1] = ["s3_server"];
/// Ends of names of files, which look like settings.
const FILE_ENDS: [&str; 9] = ["json", "toml", "rs", "md", "html", "parquet", "sql", "yaml", "prom"];
/// Programs whose flags are not ours.
const PROGRAMS: [&str; 8] =
    ["aws ", "cargo ", "git ", "pip ", "curl ", "docker ", "kubectl ", "systemctl "];

fn root() -> PathBuf {
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR").expect("run by cargo");
    Path::new(&crate_folder).join("../..")
}

/// A piece of text, and where it is.
struct Text {
    place: String,
    text: String,
}

fn texts() -> Vec<Text> {
    let mut texts = Vec::new();
    let crates = std::fs::read_dir(root().join("crates")).unwrap().flatten();
    for path in crates.map(|entry| entry.path()) {
        if !OTHER_PROGRAMS.iter().any(|other| path.ends_with(other)) {
            of_crate(&path.join("src"), &mut texts);
        }
    }
    let docs = std::fs::read_dir(root().join("docs")).unwrap().flatten();
    let guides = GUIDES.iter().map(|guide| root().join(guide)).chain(docs.map(|doc| doc.path()));
    for path in guides.filter(|path| path.extension().is_some_and(|end| end == "md")) {
        // A command may go on in the next line.
        let guide = std::fs::read_to_string(&path).unwrap().replace("\\\n", " ");
        let place = path.file_name().unwrap().to_string_lossy().into_owned();
        texts.extend(code_of(&guide).into_iter().map(|text| Text { place: place.clone(), text }));
    }
    assert!(texts.len() > 2_000, "{}", texts.len());
    texts
}

fn of_crate(folder: &Path, texts: &mut Vec<Text>) {
    for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            // The simulation and the fuzzing are tests.
            if !["tests", "simulation", "fuzzing"].contains(&name.as_str()) {
                of_crate(&path, texts);
            }
        } else if name.ends_with(".rs") && !name.contains("test") && name != "mentions.rs" {
            let source = std::fs::read_to_string(&path).unwrap();
            let (code, _tests) =
                source.split_once("\n#[cfg(test)]\nmod tests {").unwrap_or((&source, ""));
            let strings = strings_of(code).into_iter();
            texts.extend(strings.map(|text| Text { place: name.clone(), text }));
            if name == "flags.rs" {
                let help = code.lines().filter_map(|line| line.trim().strip_prefix("/// "));
                texts.extend(help.map(|line| Text { place: name.clone(), text: line.to_owned() }));
            }
        }
    }
}

/// The texts in quotes of Rust code, on one line each.
fn strings_of(code: &str) -> Vec<String> {
    let mut strings = Vec::new();
    let mut rest = code;
    while let Some(next) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            let end = raw.find("\"#").unwrap_or(raw.len());
            strings.push(raw[..end].to_owned());
            3 + end + 2
        } else if next == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let end = end.unwrap_or(rest.len() - 2);
            strings.push(joined(&rest[1..=end]));
            end + 2
        } else {
            next.len_utf8()
        };
        rest = &rest[length.min(rest.len())..];
    }
    strings
}

/// A text without the ends of its lines in the source.
fn joined(text: &str) -> String {
    let mut lines = text.split("\\\n");
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |text, line| text + line.trim_start())
}

/// The code of a guide: spans, and lines of blocks.
fn code_of(guide: &str) -> Vec<String> {
    let mut code = Vec::new();
    for (number, part) in guide.split("```").enumerate() {
        if number % 2 == 1 {
            code.extend(part.lines().map(str::to_owned));
        } else {
            code.extend(part.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    code
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-'
}

/// The words after each `longhaul ` of a text, up to what is no name; alternatives have a bar.
fn commands_in(text: &str) -> Vec<Vec<String>> {
    let after = text.split("longhaul ").skip(1);
    let words = after.map(|after| {
        let words = after.split([' ', '\n', '`', ',', ';', '.', ')']);
        let is_name = |word: &&str| {
            !word.is_empty()
                && word.chars().all(|c| is_of_name(c) || c == '|')
                && !word.starts_with('-')
        };
        words.take_while(is_name).take(2).map(str::to_owned).collect()
    });
    words.collect()
}

/// Whether a command exists; its arguments may follow it.
fn exists(words: &[String]) -> bool {
    let root = Flags::command();
    let [first, others @ ..] = words else { return true };
    first.split('|').all(|name| {
        let Some(command) = root.find_subcommand(name) else { return false };
        match others.first() {
            Some(other) if command.is_subcommand_required_set() => {
                other.split('|').all(|name| command.find_subcommand(name).is_some())
            }
            _ => true,
        }
    })
}

/// All long flags of all commands.
fn flags() -> BTreeSet<String> {
    fn walk(command: &clap::Command, flags: &mut BTreeSet<String>) {
        flags.extend(command.get_arguments().filter_map(|flag| flag.get_long()).map(str::to_owned));
        command.get_subcommands().for_each(|command| walk(command, flags));
    }
    let mut command = Flags::command();
    command.build();
    let mut flags = BTreeSet::new();
    walk(&command, &mut flags);
    flags
}

fn flags_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if text[at..].starts_with("--") && !is_of_name(before) {
            let name = &text[at + 2..];
            let end = name.find(|c| !is_of_name(c)).unwrap_or(name.len());
            if name.starts_with(|c: char| c.is_ascii_lowercase()) {
                found.push(name[..end].trim_end_matches('-').to_owned());
            }
        }
        before = c;
    }
    found
}

/// The words of a text that are a section, a dot and a key.
fn settings_in(text: &str, sections: &BTreeSet<&str>) -> Vec<String> {
    let words = text.split(|c| !is_of_name(c) && c != '.' && c != '/' && c != '{' && c != '}');
    let words = words.map(|word| word.trim_end_matches('.'));
    let is_setting = |word: &&str| {
        let (section, key) = word.split_once('.').unwrap_or((word, ""));
        let end = word.rsplit('.').next().unwrap_or_default();
        sections.contains(section)
            && key.starts_with(|c: char| c.is_ascii_lowercase())
            && !FILE_ENDS.contains(&end)
            && !word.contains(['/', '{'])
    };
    words.filter(is_setting).map(str::to_owned).collect()
}

#[test]
fn every_command_and_flag_that_is_mentioned_exists() {
    let known = flags();
    let mut missing = Vec::new();
    let mut n = (0, 0);
    for Text { place, text } in texts() {
        for words in commands_in(&text) {
            n.0 += usize::from(!words.is_empty());
            if !exists(&words) {
                missing.push(format!("{place}: longhaul {}", words.join(" ")));
            }
        }
        let is_of_others = PROGRAMS.iter().any(|program| text.contains(program));
        for flag in flags_in(&text).into_iter().filter(|_| !is_of_others) {
            n.1 += 1;
            if !known.contains(&flag) {
                missing.push(format!("{place}: --{flag}"));
            }
        }
    }
    assert!(n.0 > 40 && n.1 > 80, "{n:?}");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_setting_that_is_mentioned_exists() {
    let known = known_keys();
    let sections: BTreeSet<&str> =
        known.iter().filter_map(|key| key.split_once('.')).map(|(section, _)| section).collect();
    let mut missing = Vec::new();
    let mut n = 0;
    for Text { place, text } in texts() {
        for setting in settings_in(&text, &sections) {
            n += 1;
            let is_known = |key: &String| {
                *key == setting
                    || key.strip_prefix(&setting).is_some_and(|key| key.starts_with('.'))
            };
            let is_of_features = setting.starts_with("train.monotone");
            if !known.iter().any(is_known) && !is_of_features {
                missing.push(format!("{place}: {setting}"));
            }
        }
    }
    assert!(n > 50, "{n}");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_file_and_make_target_that_is_mentioned_exists() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let mut missing = Vec::new();
    let mut n = (0, 0);
    for Text { place, text } in texts() {
        let words = text.split([' ', '`', '"', '\'', '(', ')', ',', ';', ':', '\\']);
        for word in words.map(|word| word.trim_end_matches('.')) {
            let is_path = ["pipelines/", "schemas/", "docs/", "benches/", "tests/"]
                .iter()
                .any(|folder| word.starts_with(folder));
            let is_placeholder = word.contains(['{', '<', '…', '*']) || word.contains("NAME");
            if is_path && !is_placeholder {
                n.0 += 1;
                if !root().join(word).exists() {
                    missing.push(format!("{place}: {word}"));
                }
            }
        }
        let is_guide = place.ends_with(".md");
        for after in text.strip_prefix("make ").into_iter().filter(|_| is_guide) {
            let target: String = after.chars().take_while(|c| is_of_name(*c)).collect();
            n.1 += 1;
            if !makefile.lines().any(|line| line.starts_with(&format!("{target}:"))) {
                missing.push(format!("{place}: make {target}"));
            }
        }
    }
    assert!(n.0 > 20 && n.1 > 5, "{n:?}");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn what_does_not_exist_is_found() {
    assert!(!exists(&["forecast".to_owned()]));
    assert!(!exists(&["models".to_owned(), "rename".to_owned()]));
    assert!(
        exists(&["check|score".to_owned()]) && exists(&["check".to_owned(), "demo".to_owned()])
    );
    assert_eq!(
        commands_in("run `longhaul models shows` or longhaul gc PIPELINE"),
        [vec!["models".to_owned(), "shows".to_owned()], vec!["gc".to_owned()],]
    );
    assert_eq!(flags_in("an --as-of after, -- and --set a=--b, x--y"), ["as-of", "set", "b"]);
    let sections = BTreeSet::from(["train"]);
    let found = settings_in("`train.rows_max` in train.json, (train.boost.rounds).", &sections);
    assert_eq!(found, ["train.rows_max", "train.boost.rounds"]);
    assert_eq!(strings_of("let a = \"b \\\n   c\"; // \"d\"\n'\"'"), ["b c"]);
}
