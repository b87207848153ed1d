//! Flags about what volume claims get where a pipeline does not say it.

use clap::Args;
use penstock_driver::{ACCESS_MODES, VolumeSettings};

const CLUSTER: &str = "Cluster options";

/// What volume claims get where a pipeline does not say it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = CLUSTER)]
pub(crate) struct VolumeArgs {
    /// Storage class of volume claims that tasks create (kubernetes.CreatePVC) without naming one; empty for the cluster's
    /// default
    #[arg(long, env = "PENSTOCK_CLAIM_STORAGE_CLASS", default_value = "standard", value_name = "NAME")]
    pub(crate) claim_storage_class: String,
    /// How the volume of a run's workspace may be mounted, where its pipeline does not say it; may be repeated
    #[arg(long, env = "PENSTOCK_WORKSPACE_ACCESS_MODE", default_value = "ReadWriteOnce", value_name = "MODE",
          value_delimiter = ',', value_parser = ACCESS_MODES)]
    pub(crate) workspace_access_mode: Vec<String>,
    /// Storage class of workspaces whose pipeline does not say it [default: the cluster's]
    #[arg(long, env = "PENSTOCK_WORKSPACE_STORAGE_CLASS", value_name = "NAME")]
    pub(crate) workspace_storage_class: Option<String>,
}

impl VolumeArgs {
    /// What volume claims get.
    pub(crate) fn settings(&self) -> VolumeSettings {
        let VolumeArgs { claim_storage_class, workspace_access_mode, workspace_storage_class } = self;
        VolumeSettings {
            claim_class: Some(claim_storage_class.clone()).filter(|class| !class.is_empty()),
            workspace_access_modes: workspace_access_mode.clone(),
            workspace_class: workspace_storage_class.clone().filter(|class| !class.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: VolumeArgs,
    }

    fn settings(line: &[&str]) -> Result<VolumeSettings, String> {
        let line = Line::try_parse_from(std::iter::once(&"test").chain(line));
        line.map(|line| line.args.settings()).map_err(|error| error.to_string())
    }

    #[test]
    fn claims_get_what_kfps_do_unless_the_installation_says_otherwise() {
        assert_eq!(settings(&[]), Ok(VolumeSettings::default()));
        let own = [
            "--claim-storage-class=",
            "--workspace-access-mode=ReadWriteMany,ReadOnlyMany",
            "--workspace-storage-class=shared",
        ];
        let expected = VolumeSettings {
            claim_class: None,
            workspace_access_modes: vec!["ReadWriteMany".to_owned(), "ReadOnlyMany".to_owned()],
            workspace_class: Some("shared".to_owned()),
        };
        assert_eq!(settings(&own), Ok(expected));
        assert!(settings(&["--workspace-access-mode=Always"]).unwrap_err().contains("ReadWriteOncePod"));
    }
}
