//! The admin port of a process on this machine, and what it serves, read as Prometheus reads it.

use std::collections::BTreeMap;

#[allow(unused_imports, reason = "not every program that this is part of asks an admin port")]
pub(crate) use penstock_tests::server::{free_address, get};

/// What the names of a histogram's series end in.
const HISTOGRAM_SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The value of a series, as it is written with its labels; 0 when there is none.
pub(crate) fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |text| text.parse().expect("a number"))
}

/// A family of series.
#[derive(Debug, Default)]
pub(crate) struct Family {
    help: String,
    kind: String,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

/// Reads the text format; whatever does not follow it is a complaint.
pub(crate) fn parse(text: &str) -> (BTreeMap<String, Family>, Vec<String>) {
    let (mut families, mut complaints) = (BTreeMap::<String, Family>::new(), Vec::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            help.clone_into(&mut families.entry(name.to_owned()).or_default().help);
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kind.clone_into(&mut families.entry(name.to_owned()).or_default().kind);
        } else if let Some(sample) = parse_sample(line) {
            let of_histogram = |name: &&str| families.get(*name).is_some_and(|family| family.kind == "histogram");
            let mut stems = HISTOGRAM_SUFFIXES.iter().filter_map(|suffix| sample.name.strip_suffix(suffix));
            let name = stems.find(of_histogram).unwrap_or(&sample.name).to_owned();
            families.entry(name).or_default().samples.push(sample);
        } else {
            complaints.push(format!("cannot be read: {line}"));
        }
    }
    (families, complaints)
}

fn parse_sample(line: &str) -> Option<Sample> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = if value == "+Inf" { f64::INFINITY } else { value.parse().ok()? };
    let Some((name, rest)) = series.split_once('{') else {
        return Some(Sample { name: series.to_owned(), labels: BTreeMap::new(), value });
    };
    let pairs = rest.strip_suffix('}')?.split("\",");
    let labels = pairs
        .map(|pair| {
            let (label, text) = pair.split_once("=\"")?;
            Some((label.to_owned(), text.trim_end_matches('"').to_owned()))
        })
        .collect::<Option<_>>()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// What is wrong with metrics: names, units, help, labels, histograms.
pub(crate) fn lint(text: &str) -> Vec<String> {
    let (families, mut complaints) = parse(text);
    for (name, family) in &families {
        let mut complain = |what: String| complaints.push(format!("{name}: {what}"));
        lint_name(name, family, &mut complain);
        for sample in &family.samples {
            for (label, value) in sample.labels.iter().filter(|(label, _)| *label != "le") {
                let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphabetic() || "_-".contains(c));
                if value.is_empty() || value.len() > 32 || !is_word(value) || !is_word(label) {
                    complain(format!("label {label}={value:?} is no word of a closed set (T-29)"));
                }
            }
        }
        if family.kind == "histogram" {
            lint_histogram(family, &mut complain);
        }
    }
    complaints
}

fn lint_name(name: &str, family: &Family, complain: &mut impl FnMut(String)) {
    let letters =
        name.strip_prefix("penstock_").is_some_and(|rest| rest.chars().all(|c| c == '_' || c.is_ascii_lowercase()));
    if !letters {
        complain("is not named penstock_[a-z_]+".to_owned());
    }
    if family.help.is_empty() {
        complain("has no HELP".to_owned());
    }
    if !["counter", "gauge", "histogram"].contains(&family.kind.as_str()) {
        complain(format!("has TYPE {:?}", family.kind));
    }
    if (family.kind == "counter") != name.ends_with("_total") {
        complain("counters, and they alone, end in _total".to_owned());
    }
    let other_units =
        ["_ms", "_milliseconds", "_micros", "_nanos", "_minutes", "_hours", "_days", "_kb", "_kib", "_mb", "_mib"];
    if other_units.iter().any(|unit| name.ends_with(unit) || name.contains(&format!("{unit}_"))) {
        complain("is in another unit than seconds or bytes".to_owned());
    }
    let is_time = ["age", "latency", "duration", "expiry", "timestamp"]
        .iter()
        .any(|word| name.split('_').any(|part| part == *word));
    if (is_time && !name.contains("_seconds")) || (family.kind == "histogram" && !name.ends_with("_seconds")) {
        complain("does not say that it is in seconds".to_owned());
    }
}

/// What the series of a histogram with the same labels say.
#[derive(Debug, Default)]
struct Buckets {
    last: f64,
    all: Option<f64>,
    count: Option<f64>,
}

fn lint_histogram(family: &Family, complain: &mut impl FnMut(String)) {
    let mut series = BTreeMap::<Vec<(&String, &String)>, Buckets>::new();
    for sample in &family.samples {
        let labels = sample.labels.iter().filter(|(label, _)| *label != "le").collect();
        let buckets = series.entry(labels).or_default();
        if sample.name.ends_with("_bucket") {
            if sample.value < buckets.last {
                complain("has a bucket with less than the one before".to_owned());
            }
            buckets.last = sample.value;
            if sample.labels.get("le").is_some_and(|bound| bound == "+Inf") {
                buckets.all = Some(sample.value);
            }
        } else if sample.name.ends_with("_count") {
            buckets.count = Some(sample.value);
        }
    }
    for (labels, Buckets { all, count, .. }) in series {
        if all.is_none() || all != count {
            complain(format!("the bucket +Inf {all:?} of {labels:?} is not the count {count:?}"));
        }
    }
}

#[test]
fn the_lint_finds_what_is_wrong() {
    let wrong = "# HELP penstock_runs Runs.\n# TYPE penstock_runs counter\npenstock_runs{run=\"01989f5e\"} 1\n\
                 # TYPE penstock_wait_ms histogram\npenstock_wait_ms_bucket{le=\"1\"} 1\npenstock_wait_ms_count 2\n\
                 nonsense\n";
    let complaints = lint(wrong).join("\n");
    for part in ["_total", "closed set", "no HELP", "another unit", "+Inf", "cannot be read"] {
        assert!(complaints.contains(part), "{part}: {complaints}");
    }
    let right = "# HELP penstock_runs Runs.\n# TYPE penstock_runs gauge\npenstock_runs{state=\"driven\"} 1\n";
    assert_eq!(lint(right), [""; 0]);
}
