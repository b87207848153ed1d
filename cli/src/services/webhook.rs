//! What the webhook is told by its flags.

use std::time::Duration;

use penstock_runtime::server::ServerLimits;
use penstock_spec::{keys, quantity};
use penstock_webhook::WebhookSettings;
use penstock_webhook::certificates::{CertificateSettings, CertificateTimes, SelfManaged};
use penstock_webhook::inject::InjectConfig;

use crate::args::cluster::{ServiceArgs, WebhookArgs};
use crate::failure::Refusal;

/// Time between two looks at a certificate that somebody else renews.
const CERTIFICATE_POLL: Duration = Duration::from_secs(10);

/// Settings of the webhook.
pub(super) fn settings(service: &ServiceArgs, args: WebhookArgs) -> Result<WebhookSettings, Refusal> {
    let mut inject = InjectConfig::new(args.launcher_image);
    inject.pull_policy = Some(args.launcher_pull_policy);
    inject.run_as_user = args.launcher_user.0;
    inject.hold_seconds = args.launcher_hold_seconds;
    let resources = &mut inject.resources;
    resources.cpu_request = args.launcher_cpu.unwrap_or_else(|| resources.cpu_request.clone());
    resources.memory_request = args.launcher_memory.unwrap_or_else(|| resources.memory_request.clone());
    resources.memory_limit = args.launcher_memory_limit.unwrap_or_else(|| resources.memory_limit.clone());
    let (request, limit) = (&resources.memory_request, &resources.memory_limit);
    if quantity::amount(request) > quantity::amount(limit) {
        let text = format!("--launcher-memory {request} is more than --launcher-memory-limit {limit}");
        return Err(
            Refusal::new(text).with_hint("every Pod would be refused; set both to the same, or to less and more")
        );
    }
    let seconds = |duration: Duration| duration.as_secs().to_string();
    let environment = [
        (keys::ENV_LAUNCHER_TRANSFER_BUDGET, args.launcher_transfer_budget.map(seconds)),
        (keys::ENV_LAUNCHER_REPORT_BUDGET, args.launcher_report_budget.map(seconds)),
        (keys::ENV_LAUNCHER_LOG, args.launcher_log),
        (keys::ENV_LAUNCHER_LOG_FORMAT, args.launcher_log_format),
    ];
    inject.environment = environment.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let certificates = match args.certificate_dir {
        Some(directory) => CertificateSettings::Files { directory, poll: CERTIFICATE_POLL },
        None => CertificateSettings::SelfManaged(SelfManaged {
            namespace: service.namespace.clone(),
            secret: args.certificate_secret,
            service: args.webhook_service,
            configuration: args.webhook_configuration,
            times: CertificateTimes::default(),
        }),
    };
    let (listen, entry_volume, limits) = (args.webhook_listen, args.entry_volume.into(), ServerLimits::default());
    Ok(WebhookSettings { listen, inject, entry_volume, certificates, limits })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::cluster::WebhookServiceArgs;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: WebhookServiceArgs,
    }

    fn inject_config(flags: &[&str]) -> Result<InjectConfig, String> {
        let line = ["test", "--launcher-image", "image"].iter().chain(flags);
        let WebhookServiceArgs { service, webhook } = Line::try_parse_from(line).expect("it is understood").args;
        settings(&service, webhook).map(|settings| settings.inject).map_err(|refusal| format!("{refusal:?}"))
    }

    #[test]
    fn i31_a_launcher_is_not_given_more_memory_than_its_limit() {
        let error = inject_config(&["--launcher-memory", "256Mi"]).expect_err("the limit is less by default");
        assert!(error.contains("--launcher-memory-limit 128Mi"), "{error}");
        let flags = ["--launcher-memory", "1Gi", "--launcher-memory-limit", "1024Mi"];
        assert_eq!(inject_config(&flags).expect("they are the same").resources.memory_request, "1Gi");
    }

    #[test]
    fn launchers_are_told_what_their_operator_says() {
        assert_eq!(inject_config(&[]).expect("defaults").environment, []);
        let flags = ["--launcher-transfer-budget", "30m", "--launcher-log", "debug", "--launcher-log-format", "json"];
        let expected = [
            (keys::ENV_LAUNCHER_TRANSFER_BUDGET, "1800".to_owned()),
            (keys::ENV_LAUNCHER_LOG, "debug".to_owned()),
            (keys::ENV_LAUNCHER_LOG_FORMAT, "json".to_owned()),
        ];
        assert_eq!(inject_config(&flags).expect("settings").environment, expected);
    }
}
