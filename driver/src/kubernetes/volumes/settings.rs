//! What volume claims get where a pipeline does not say it.

/// How a volume may be mounted, in the words of Kubernetes.
pub const ACCESS_MODES: [&str; 4] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];

/// What volume claims get where a pipeline does not say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSettings {
    /// Storage class of claims that tasks create; the cluster's default when absent.
    pub claim_class: Option<String>,
    /// How workspaces may be mounted.
    pub workspace_access_modes: Vec<String>,
    /// Storage class of workspaces; the cluster's default when absent.
    pub workspace_class: Option<String>,
}

impl Default for VolumeSettings {
    fn default() -> Self {
        VolumeSettings {
            // KFP's.
            claim_class: Some("standard".to_owned()),
            workspace_access_modes: vec!["ReadWriteOnce".to_owned()],
            workspace_class: None,
        }
    }
}
