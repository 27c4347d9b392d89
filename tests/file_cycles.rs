//! No circles between the files of a crate: what a file uses can be read before it, and without it.
//!
//! A file uses those that its paths from `crate`, `super` and `self` lead to; names that the root of
//! a crate re-exports lead to the file that has them. Test modules do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::program::root;
use crate::vocabulary::without_comments_and_texts;

/// The path of a module, from the root of its crate.
type Module = Vec<String>;

/// Reads the paths of a use tree, such as `a::{b, c::D as E}`, that follow `prefix`; returns the text
/// after it.
fn paths_of<'a>(tree: &'a str, prefix: &[String], paths: &mut Vec<Module>) -> &'a str {
    let tree = tree.trim_start();
    if let Some(mut rest) = tree.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches([',', ' ', '\n']);
            match rest.strip_prefix('}') {
                Some(after) => return after,
                None if rest.is_empty() => return rest,
                None => {
                    let after = paths_of(rest, prefix, paths);
                    rest = after.find([',', '}']).map_or("", |end| &after[end..]);
                }
            }
        }
    }
    let end = tree.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tree.len());
    let (name, rest) = tree.split_at(end);
    let mut path = prefix.to_vec();
    path.extend((!name.is_empty()).then(|| name.to_owned()));
    match rest.strip_prefix("::") {
        Some(tree) if !name.is_empty() => paths_of(tree, &path, paths),
        _ => {
            paths.push(path);
            rest
        }
    }
}

/// Where the module `me` is led to by the paths in its code.
fn paths_in(code: &str, me: &[String]) -> Vec<Module> {
    let mut paths = Vec::new();
    let parent = &me[..me.len().saturating_sub(1)];
    for (start, base) in [("crate::", &[][..]), ("super::", parent), ("self::", me)] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':' && c != '$') {
                paths_of(&code[at + start.len()..], base, &mut paths);
            }
        }
    }
    paths
}

/// The code of each file of a crate, by its module, without comments, texts and test modules.
fn files_of(source: &Path) -> BTreeMap<Module, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![(source.to_owned(), Module::new())];
    while let Some((folder, module)) = folders.pop() {
        for path in std::fs::read_dir(folder).expect("a folder").flatten().map(|e| e.path()) {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let inner: Module = module.iter().cloned().chain([name.clone()]).collect();
            if name.contains("tests") || name == "conformance" {
                continue;
            }
            if path.is_dir() {
                folders.push((path, inner));
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).expect("a file");
                let code = without_comments_and_texts(&text);
                let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let is_root = ["lib", "main", "mod"].contains(&name.as_str());
                files.insert(if is_root { module.clone() } else { inner }, code.to_owned());
            }
        }
    }
    files
}

/// Which files each file uses.
fn uses_of(files: &BTreeMap<Module, String>) -> BTreeMap<&Module, BTreeSet<&Module>> {
    // What `pub use` of the root says of a name: the module that it is of.
    let mut exported: BTreeMap<String, Module> = BTreeMap::new();
    for statement in files[&Module::new()].split("use ").skip(1) {
        let mut paths = Vec::new();
        paths_of(statement.split(';').next().unwrap_or_default(), &[], &mut paths);
        for mut path in paths {
            if let Some(name) = path.pop() {
                exported.insert(name, path);
            }
        }
    }
    let file_of = |path: &[String]| {
        let path = match path.first().and_then(|name| exported.get(name)) {
            Some(module) if !files.contains_key(&path[..1]) => module,
            _ => path,
        };
        (0..=path.len()).rev().find_map(|n| files.get_key_value(&path[..n])).map(|(file, _)| file)
    };
    let used = files.iter().map(|(me, code)| {
        let used = paths_in(code, me).iter().filter_map(|path| file_of(path)).collect();
        (me, used)
    });
    // The root declares all modules, and whoever uses it uses only what it has itself.
    used.map(|(me, used): (_, BTreeSet<&Module>)| {
        (me, used.into_iter().filter(|file| *file != me && !file.is_empty()).collect())
    })
    .collect()
}

/// The files that can be reached from a file.
fn reachable<'a>(
    from: &'a Module,
    uses: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(file) = next.pop() {
        for &used in &uses[file] {
            if reached.insert(used) {
                next.push(used);
            }
        }
    }
    reached
}

#[test]
fn no_file_is_used_by_what_it_uses() {
    let mut circles = Vec::new();
    for folder in std::fs::read_dir(root().join("crates")).unwrap().flatten() {
        let files = files_of(&folder.path().join("src"));
        let uses = uses_of(&files);
        for file in files.keys() {
            if reachable(file, &uses).contains(file) {
                let of_crate = folder.file_name().to_string_lossy().into_owned();
                circles.push(format!("{of_crate}: {} uses {:?}", file.join("::"), uses[file]));
            }
        }
    }
    assert!(circles.is_empty(), "files in circles:\n{}", circles.join("\n"));
}

#[test]
fn a_use_tree_leads_to_each_of_its_files() {
    let mut paths = Vec::new();
    paths_of("a::{b, c::{D as E, f}, g::*};", &[], &mut paths);
    let paths: Vec<String> = paths.iter().map(|path| path.join("::")).collect();
    assert_eq!(paths, ["a::b", "a::c::D", "a::c::f", "a::g"]);
    let files = BTreeMap::from([
        (vec![], "mod a; mod b; pub use b::Thing;".to_owned()),
        (vec!["a".to_owned()], "use crate::Thing;".to_owned()),
        (vec!["b".to_owned()], "fn f() { super::a::g() }".to_owned()),
    ]);
    let uses = uses_of(&files);
    let a = vec!["a".to_owned()];
    assert!(reachable(&a, &uses).contains(&a), "{uses:?}");
}
