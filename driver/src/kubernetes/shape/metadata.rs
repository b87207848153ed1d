//! Labels and annotations of the Pod, secrets for pulling images, and when those are pulled.

use std::collections::BTreeMap;

use penstock_spec::keys;
use penstock_spec::platform::PodMetadata;

use super::Shaper;
use super::names::{is_key, is_label_value};
use super::values::{Kind, ObjectName};

/// The most bytes of a task's own annotations: all of a Pod's have 256 KiB, and plan and report need room.
const MAX_ANNOTATIONS: usize = 192 << 10;

type Texts = BTreeMap<String, String>;

impl Shaper<'_> {
    /// Labels and annotations.
    pub(super) fn metadata(&mut self) -> (Texts, Texts) {
        let Some(PodMetadata { labels, annotations }) = &self.config.pod_metadata else {
            return (Texts::new(), Texts::new());
        };
        self.check_labels("podMetadata.labels", labels);
        self.check_annotations("podMetadata.annotations", annotations);
        let mut annotations = annotations.clone();
        // The plan carries it on its own.
        annotations.remove(keys::ANNOTATION_SERVICE_ACCOUNT);
        let reserved: Vec<(&str, String)> = [("labels", labels), ("annotations", &annotations)]
            .into_iter()
            .flat_map(|(kind, texts)| texts.keys().map(move |key| (kind, key.clone())))
            .filter(|(_, key)| key.starts_with(keys::KEY_PREFIX))
            .collect();
        for (kind, key) in reserved {
            let field = format!("podMetadata.{kind}[{key:?}]");
            self.error(field, format!("keys that begin with {} are Penstock's own", keys::KEY_PREFIX));
        }
        (labels.clone(), annotations)
    }

    pub(super) fn check_labels(&mut self, field: &str, labels: &Texts) {
        for (key, value) in labels {
            if !is_key(key) {
                self.error(format!("{field}[{key:?}]"), "this is no key of a label");
            } else if !is_label_value(value) {
                let form = "letters, digits, `-`, `_` and `.`, at most 63 of them, a letter or digit at both ends";
                self.error(format!("{field}[{key:?}]"), format!("{value:?} is no value of a label: {form}"));
            }
        }
    }

    pub(super) fn check_annotations(&mut self, field: &str, annotations: &Texts) {
        for key in annotations.keys().filter(|key| !is_key(&key.to_ascii_lowercase())) {
            self.error(format!("{field}[{key:?}]"), "this is no key of an annotation");
        }
        let bytes: usize = annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > MAX_ANNOTATIONS {
            self.error(field, format!("they have {bytes} bytes together, and {MAX_ANNOTATIONS} are allowed"));
        }
    }

    /// Names, each once, in order.
    pub(super) fn pull_secrets(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        for (index, entry) in self.config.image_pull_secret.iter().enumerate() {
            let field = format!("imagePullSecret[{index}].secretNameParameter");
            if let ObjectName::Known(name) = self.object_name(&field, entry.name().as_ref(), Kind::Secret)
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names
    }

    pub(super) fn check_pull_policy(&mut self) {
        let policy = &self.config.image_pull_policy;
        if !matches!(policy.as_str(), "" | "Always" | "IfNotPresent" | "Never") {
            let reason = format!("{policy:?} is neither Always nor IfNotPresent nor Never");
            self.error("imagePullPolicy", reason);
        }
    }
}
