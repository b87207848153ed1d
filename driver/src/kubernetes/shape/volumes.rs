//! Volumes, and where the user's container sees them.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, EphemeralVolumeSource, PersistentVolumeClaimSpec,
    PersistentVolumeClaimTemplate, PersistentVolumeClaimVolumeSource, SecretVolumeSource, Volume, VolumeMount,
    VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use penstock_objectstore::content::{digest_of, format_digest};
use penstock_spec::keys;
use penstock_spec::mount_path::{is_reserved, is_within, normal};
use penstock_spec::object_name::is_label;
use penstock_spec::platform::GenericEphemeralVolume;
use penstock_spec::quantity;
use penstock_spec::value::to_json;

use super::values::{Kind, ObjectName};
use super::{Mounted, Shaper, stated};
use crate::kubernetes::accounts::{TOKEN_DIR, TOKEN_VOLUME};
use crate::kubernetes::pod::{CA_DIR, CA_VOLUME, scratch};
use crate::kubernetes::volumes::ACCESS_MODES;

/// Where programs look for shared memory, and the volume's name if the author gives none.
const SHARED_MEMORY_DIR: &str = "/dev/shm";
const SHARED_MEMORY_VOLUME: &str = "shared-memory";
/// Characters of a digest in a volume's name.
const DIGEST_LENGTH: usize = 16;

/// Volumes in the making.
#[derive(Default)]
pub(super) struct Volumes {
    entries: Vec<Entry>,
    placed: Vec<Placed>,
    /// Whether there will be more, whose names are not known yet.
    pub(super) has_more: bool,
}

struct Entry {
    /// What the author calls it.
    called: String,
    volume: Volume,
    is_object: bool,
}

struct Placed {
    /// The path as the container runtime takes it.
    path: String,
    /// Where the author says so.
    field: String,
    mount: VolumeMount,
}

impl Volumes {
    /// The name in the Pod of what the author calls so.
    pub(super) fn name_of(&self, called: &str) -> Option<&str> {
        let mut found = self.entries.iter().filter(|entry| entry.called == called);
        let own = found.clone().find(|entry| entry.volume.name == called);
        own.or_else(|| found.next()).map(|entry| entry.volume.name.as_str())
    }

    /// Objects, and volumes that come and go with the Pod.
    pub(super) fn into_parts(self) -> (Mounted, Mounted) {
        let (mut objects, mut scratch) = (Mounted::default(), Mounted::default());
        let is_object = |name: &str| self.entries.iter().any(|entry| entry.is_object && entry.volume.name == name);
        for Placed { mount, .. } in self.placed {
            let group = if is_object(&mount.name) { &mut objects } else { &mut scratch };
            group.mounts.push(mount);
        }
        for entry in self.entries {
            let group = if entry.is_object { &mut objects } else { &mut scratch };
            group.volumes.push(entry.volume);
        }
        (objects, scratch)
    }

    /// A volume under a name of the author's own, by which init containers mount it.
    fn add_named(&mut self, volume: Volume) -> Result<String, String> {
        let name = volume.name.clone();
        if !is_label(&name) {
            let form = "small letters, digits and `-`, at most 63 of them";
            return Err(format!("{name:?} is no name of a volume: {form}"));
        }
        if is_kept(&name) {
            return Err(format!("the Pod of every task has a volume {name:?} already: give this one another name"));
        }
        match self.entries.iter().find(|entry| entry.volume.name == name) {
            Some(entry) if entry.volume == volume => {}
            Some(_) => return Err(format!("there is another volume {name:?}: give one of them another name")),
            None => self.entries.push(Entry { called: name.clone(), volume, is_object: false }),
        }
        Ok(name)
    }

    /// A volume of an object. It has the object's name where a volume can have it and none has it yet.
    fn add_object(&mut self, kind: Kind, object: &str, source: Volume) -> String {
        let is_same =
            |entry: &&Entry| entry.called == object && Volume { name: String::new(), ..entry.volume.clone() } == source;
        if let Some(entry) = self.entries.iter().find(is_same) {
            return entry.volume.name.clone();
        }
        let is_free = is_label(object) && !is_kept(object) && self.entries.iter().all(|it| it.volume.name != object);
        let name = if is_free { object.to_owned() } else { derived_name(kind, &source) };
        let volume = Volume { name: name.clone(), ..source };
        self.entries.push(Entry { called: object.to_owned(), volume, is_object: true });
        name
    }
}

impl Shaper<'_> {
    /// All volumes. Those with a name of the author's own come first, so that they have it.
    pub(super) fn volumes(&mut self) -> Volumes {
        let mut volumes = Volumes::default();
        self.empty_directories(&mut volumes);
        self.ephemeral_volumes(&mut volumes);
        self.claims(&mut volumes);
        self.secrets(&mut volumes);
        self.config_maps(&mut volumes);
        volumes
    }

    fn empty_directories(&mut self, volumes: &mut Volumes) {
        for (index, entry) in self.config.empty_dir_mounts.iter().enumerate() {
            let field = format!("emptyDirMounts[{index}]");
            let medium = entry.medium.as_deref().unwrap_or_default();
            let is_medium = matches!(medium, "" | "Memory" | "HugePages") || medium.starts_with("HugePages-");
            if !is_medium {
                self.error(format!("{field}.medium"), format!("{medium:?} is neither empty nor Memory"));
            }
            let limit = entry.size_limit.as_deref().unwrap_or_default();
            let size_limit = self.size(&format!("{field}.sizeLimit"), limit);
            let source = EmptyDirVolumeSource { medium: stated(medium), size_limit };
            self.add_empty(volumes, &field, &entry.volume_name, &entry.mount_path, source);
        }
        if let Some(memory) = &self.config.enabled_shared_memory {
            let size_limit = self.size("enabledSharedMemory.size", &memory.size);
            let source = EmptyDirVolumeSource { medium: Some("Memory".to_owned()), size_limit };
            let name = if memory.volume_name.is_empty() { SHARED_MEMORY_VOLUME } else { &memory.volume_name };
            self.add_empty(volumes, "enabledSharedMemory", name, SHARED_MEMORY_DIR, source);
        }
    }

    fn add_empty(&mut self, volumes: &mut Volumes, field: &str, name: &str, path: &str, source: EmptyDirVolumeSource) {
        let volume = Volume { name: name.to_owned(), empty_dir: Some(source), ..Volume::default() };
        self.add_named(volumes, field, path, volume);
    }

    fn ephemeral_volumes(&mut self, volumes: &mut Volumes) {
        for (index, entry) in self.config.generic_ephemeral_volume.iter().enumerate() {
            let field = format!("genericEphemeralVolume[{index}]");
            let template = self.claim_template(&field, entry);
            let volume = Volume {
                name: entry.volume_name.clone(),
                ephemeral: Some(EphemeralVolumeSource { volume_claim_template: Some(template) }),
                ..Volume::default()
            };
            self.add_named(volumes, &field, &entry.mount_path, volume);
        }
    }

    fn claim_template(&mut self, field: &str, entry: &GenericEphemeralVolume) -> PersistentVolumeClaimTemplate {
        if entry.access_modes.is_empty() {
            self.error(format!("{field}.accessModes"), "there is none: name one such as ReadWriteOnce");
        }
        for mode in entry.access_modes.iter().filter(|mode| !ACCESS_MODES.contains(&mode.as_str())) {
            let reason = format!("{mode:?} is none of {}", ACCESS_MODES.join(", "));
            self.error(format!("{field}.accessModes"), reason);
        }
        let size = self.size(&format!("{field}.size"), &entry.size);
        if entry.size.is_empty() {
            let reason = format!("the volume {:?} has no size: give it one such as 5Gi", entry.volume_name);
            self.error(format!("{field}.size"), reason);
        }
        let metadata = entry.metadata.as_ref().map(|metadata| {
            self.check_labels(&format!("{field}.metadata.labels"), &metadata.labels);
            self.check_annotations(&format!("{field}.metadata.annotations"), &metadata.annotations);
            ObjectMeta {
                labels: (!metadata.labels.is_empty()).then(|| metadata.labels.clone()),
                annotations: (!metadata.annotations.is_empty()).then(|| metadata.annotations.clone()),
                ..ObjectMeta::default()
            }
        });
        let requests = size.map(|size| [("storage".to_owned(), size)].into());
        PersistentVolumeClaimTemplate {
            metadata,
            spec: PersistentVolumeClaimSpec {
                access_modes: Some(entry.access_modes.clone()),
                resources: Some(VolumeResourceRequirements { requests, ..VolumeResourceRequirements::default() }),
                // An empty class is one: no volume is made for such a claim.
                storage_class_name: (!entry.default_storage_class).then(|| entry.storage_class_name.clone()),
                ..PersistentVolumeClaimSpec::default()
            },
        }
    }

    fn claims(&mut self, volumes: &mut Volumes) {
        for (index, entry) in self.config.pvc_mount.iter().enumerate() {
            let field = format!("pvcMount[{index}]");
            let name = self.object_name(&format!("{field}.pvcNameParameter"), entry.name().as_ref(), Kind::Claim);
            let source = |name: &str| Volume {
                persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
                    claim_name: name.to_owned(),
                    ..PersistentVolumeClaimVolumeSource::default()
                }),
                ..Volume::default()
            };
            let is_outside = entry.sub_path.starts_with('/') || entry.sub_path.split('/').any(|part| part == "..");
            if is_outside {
                let reason = format!("{:?} does not lie within the volume", entry.sub_path);
                self.error(format!("{field}.subPath"), reason);
            }
            self.add_object(volumes, &field, Kind::Claim, &name, source, (&entry.mount_path, &entry.sub_path));
        }
    }

    fn secrets(&mut self, volumes: &mut Volumes) {
        for (index, entry) in self.config.secret_as_volume.iter().enumerate() {
            let field = format!("secretAsVolume[{index}]");
            let name = self.object_name(&format!("{field}.secretNameParameter"), entry.name().as_ref(), Kind::Secret);
            let source = |name: &str| Volume {
                secret: Some(SecretVolumeSource {
                    secret_name: Some(name.to_owned()),
                    optional: Some(entry.optional.unwrap_or(false)),
                    ..SecretVolumeSource::default()
                }),
                ..Volume::default()
            };
            self.add_object(volumes, &field, Kind::Secret, &name, source, (&entry.mount_path, ""));
        }
    }

    fn config_maps(&mut self, volumes: &mut Volumes) {
        for (index, entry) in self.config.config_map_as_volume.iter().enumerate() {
            let field = format!("configMapAsVolume[{index}]");
            let value = format!("{field}.configMapNameParameter");
            let name = self.object_name(&value, entry.name().as_ref(), Kind::ConfigMap);
            let source = |name: &str| Volume {
                config_map: Some(ConfigMapVolumeSource {
                    name: name.to_owned(),
                    optional: Some(entry.optional.unwrap_or(false)),
                    ..ConfigMapVolumeSource::default()
                }),
                ..Volume::default()
            };
            self.add_object(volumes, &field, Kind::ConfigMap, &name, source, (&entry.mount_path, ""));
        }
    }

    fn add_named(&mut self, volumes: &mut Volumes, field: &str, path: &str, volume: Volume) {
        match volumes.add_named(volume) {
            Ok(name) => self.place(volumes, field, &name, path, ""),
            Err(reason) => {
                self.error(format!("{field}.volumeName"), reason);
                self.mount_path(field, path);
            }
        }
    }

    /// `place` is a path in the container, and one within the volume.
    fn add_object(
        &mut self,
        volumes: &mut Volumes,
        field: &str,
        kind: Kind,
        name: &ObjectName,
        source: impl Fn(&str) -> Volume,
        place: (&str, &str),
    ) {
        match name {
            ObjectName::Known(name) => {
                let volume = volumes.add_object(kind, name, source(name));
                self.place(volumes, field, &volume, place.0, place.1);
            }
            ObjectName::Later | ObjectName::None => {
                volumes.has_more |= *name == ObjectName::Later;
                self.mount_path(field, place.0);
            }
        }
    }

    fn place(&mut self, volumes: &mut Volumes, field: &str, volume: &str, mount_path: &str, sub_path: &str) {
        let Some(path) = self.mount_path(field, mount_path) else { return };
        let mount = VolumeMount {
            name: volume.to_owned(),
            mount_path: mount_path.to_owned(),
            sub_path: stated(sub_path),
            ..VolumeMount::default()
        };
        match volumes.placed.iter().find(|placed| placed.path == path) {
            Some(Placed { mount: there, .. }) if there.name == mount.name && there.sub_path == mount.sub_path => {}
            Some(Placed { field: other, .. }) => {
                let reason = format!("{other} is mounted at {path} as well: choose another path for one of them");
                self.error(format!("{field}.mountPath"), reason);
            }
            None => volumes.placed.push(Placed { path, field: field.to_owned(), mount }),
        }
    }

    /// The path as the container runtime takes it, where something may be mounted there.
    fn mount_path(&mut self, field: &str, path: &str) -> Option<String> {
        let normal = normal(path);
        let reason = if path.is_empty() {
            "it is empty".to_owned()
        } else if path.contains([':', '\0']) {
            format!("{path:?} holds a colon")
        } else if normal == "/" {
            format!("{path:?} would hide all of the image")
        } else if let Some(what) = self.kept_for(&normal) {
            format!("{path:?} is kept for {what}: choose another path")
        } else {
            return Some(normal);
        };
        self.error(format!("{field}.mountPath"), reason);
        None
    }

    /// What a path is kept for.
    fn kept_for(&self, path: &str) -> Option<&'static str> {
        let is_artifacts = || keys::ARTIFACT_VOLUMES.iter().any(|(_, directory)| is_within(path, directory));
        let kept = [
            (is_reserved(path), "the launcher"),
            (is_artifacts(), "artifacts"),
            (is_within(path, keys::OUTPUT_PARAMETER_DIR), "output parameters"),
            (is_within(path, keys::WORKSPACE_PATH), "the workspace of the run"),
            (self.surroundings.has_authorities && is_within(path, CA_DIR), "the authorities of the installation"),
            (self.surroundings.has_account && is_within(path, TOKEN_DIR), "the token of the task's account"),
        ];
        kept.into_iter().find_map(|(is_kept, what)| is_kept.then_some(what))
    }

    /// A quantity; an empty text is none.
    pub(super) fn size(&mut self, field: &str, text: &str) -> Option<Quantity> {
        if text.is_empty() {
            return None;
        }
        let quantity = quantity::normalize(text);
        if quantity.is_none() {
            self.error(field, format!("{text:?} is no quantity of Kubernetes such as 500Mi or 5Gi"));
        }
        quantity.map(Quantity)
    }
}

/// Whether a Pod may have a volume of this name whatever its settings say.
fn is_kept(name: &str) -> bool {
    name.starts_with(keys::RESERVED_NAME_PREFIX)
        || [keys::VOLUME_WORKSPACE, CA_VOLUME, TOKEN_VOLUME].contains(&name)
        || scratch().any(|(kept, _)| kept == name)
}

/// A name from what the volume is: the same for each attempt.
fn derived_name(kind: Kind, source: &Volume) -> String {
    let digest = format_digest(&digest_of(to_json(source).as_bytes()));
    let digest: String = digest.trim_start_matches("sha256:").chars().take(DIGEST_LENGTH).collect();
    format!("{}-{digest}", kind.prefix())
}
