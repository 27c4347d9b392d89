//! `examples/score.c`, compiled and run: with the shared library and with the static one it gives the
//! bits of the scorer.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scorer::Distribution;
use terms::{Feature, FeatureKind, LEVELS};

use crate::bundle::Bundle;

/// Where cargo puts the libraries of this crate, beside its tests.
fn libraries() -> PathBuf {
    let test = std::env::current_exe().expect("a test");
    test.parent().expect("a folder").to_owned()
}

/// What links the shared library, and finds it when the program runs.
pub(crate) fn shared_library() -> [String; 3] {
    let path = libraries().display().to_string();
    [format!("-L{path}"), "-llonghaul_scorer".into(), format!("-Wl,-rpath,{path}")]
}

/// A file of this crate.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

pub(crate) fn compiled(source: &Path, out: &Path, libraries: &[String]) {
    let mut compiler = Command::new("cc");
    compiler.args(["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-o"]).arg(out);
    compiler.arg(source).arg("-I").arg(folder("include"));
    let output = compiler.args(libraries).output().expect("a C compiler");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn run(program: &Path, arguments: &[String]) -> Output {
    Command::new(program).args(arguments).output().expect("the example")
}

pub(crate) fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

/// A value as the example reads it; nothing if it is missing.
fn argument(position: usize, feature: &Feature, value: f32) -> Option<String> {
    let text = match &feature.kind {
        FeatureKind::Numeric => value.to_string(),
        FeatureKind::Categorical { levels } if value.is_finite() => levels[value as usize].clone(),
        FeatureKind::Categorical { .. } => "not a level".to_owned(),
    };
    // Both ways to say that a number is missing.
    let is_missing =
        feature.kind == FeatureKind::Numeric && value.is_nan() && position.is_multiple_of(2);
    (!is_missing).then(|| format!("{}={text}", feature.name))
}

fn expected(distribution: &Distribution) -> Vec<(String, f32)> {
    let mut lines = vec![("over two days".to_owned(), distribution.probability_over_2d)];
    let hours = LEVELS.iter().zip(distribution.hours);
    lines.extend(hours.map(|(level, hours)| (format!("hours {level}"), hours)));
    let days = distribution.by_day.into_iter().enumerate();
    let days = days.map(|(point, p)| (format!("within {} days", distribution.days.day(point)), p));
    lines.extend(days);
    lines
}

fn gives_the_scorers_bits(program: &Path) {
    for seed in 1..=3 {
        let bundle = Bundle::new(seed);
        let features = &bundle.scorer.features().0;
        for row in bundle.rows(12) {
            let mut arguments = vec![bundle.path().display().to_string()];
            let values = features.iter().zip(&row).enumerate();
            arguments
                .extend(values.filter_map(|(at, (feature, value))| argument(at, feature, *value)));
            let output = run(program, &arguments);
            let mut lines = stdout(&output).lines();
            assert_eq!(lines.next(), Some(&*format!("model generated-{seed}")));
            let distribution = bundle.scorer.score_row(&row);
            for (name, number) in expected(&distribution) {
                let line = lines.next().expect("a line");
                let (found_name, found) = line.rsplit_once(' ').expect("a number");
                let found: f32 = found.parse().expect("a number");
                assert_eq!((found_name, found.to_bits()), (&*name, number.to_bits()), "{row:?}");
            }
            assert_eq!(lines.next(), None);
        }
    }
}

#[test]
fn the_example_in_c_gives_the_bits_of_the_scorer() {
    let out = tempfile::tempdir().unwrap();
    let (shared, fixed) = (out.path().join("shared"), out.path().join("static"));
    let source = folder("examples/score.c");
    compiled(&source, &shared, &shared_library());
    gives_the_scorers_bits(&shared);
    let library = libraries().join("liblonghaul_scorer.a").display().to_string();
    compiled(&source, &fixed, &[library, "-lm".into(), "-lpthread".into(), "-ldl".into()]);
    gives_the_scorers_bits(&fixed);
}

#[test]
fn the_example_says_what_is_wrong() {
    let out = tempfile::tempdir().unwrap();
    let program = out.path().join("score");
    compiled(&folder("examples/score.c"), &program, &shared_library());
    let bundle = Bundle::new(1);
    let bundle_path = bundle.path().display().to_string();
    let features = run(&program, std::slice::from_ref(&bundle_path));
    let features = stdout(&features);
    assert!(features.contains("\nfeature größe_0\n"), "{features}");
    assert!(
        features.contains("\nfeature of_33 of 33 levels, the first is level 000\n"),
        "{features}"
    );
    let problem = |arguments: &[&str]| {
        let output = run(&program, &arguments.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(problem(&["/nowhere"]).contains("\"/nowhere/manifest.json\": cannot be read"));
    assert!(
        problem(&[&bundle_path, "distance=3"]).contains("feature \"distance\": expected one of")
    );
    assert!(problem(&[&bundle_path, "größe_0=far"]).contains("expected a number, found far"));
}

#[test]
fn the_program_of_the_documentation_runs() {
    let page = std::fs::read_to_string(folder("../../docs/scorer.md")).unwrap();
    let (_, program) = page.split_once("```c\n").unwrap();
    let (program, _) = program.split_once("```").unwrap();
    let (out, bundle) = (tempfile::tempdir().unwrap(), Bundle::new(1));
    let (source, binary) = (out.path().join("page.c"), out.path().join("page"));
    std::fs::write(&source, program).unwrap();
    compiled(&source, &binary, &shared_library());
    std::os::unix::fs::symlink(bundle.path(), out.path().join("bundle")).unwrap();
    let output = Command::new(&binary).current_dir(out.path()).output().unwrap();
    let missing = vec![f32::NAN; bundle.scorer.features().len()];
    let hours = bundle.scorer.score_row(&missing).hours[terms::MEDIAN];
    let (_, found) = stdout(&output).split_once("median ").unwrap();
    let (found, _) = found.split_once(' ').unwrap();
    // Six digits are printed.
    assert!((found.parse::<f32>().unwrap() / hours - 1.0).abs() < 1e-5, "{found} is not {hours}");
}
