//! Who the user's container runs as, as far as its author says so.

use penstock_spec::settings::RunAs;

use super::Shaper;

/// Greatest id of a user or group.
const MAX_ID: i64 = i32::MAX as i64;

impl Shaper<'_> {
    pub(super) fn run_as(&mut self) -> RunAs {
        let Some(context) = &self.config.security_context else { return RunAs::default() };
        let run_as =
            RunAs { user: context.run_as_user, group: context.run_as_group, non_root: context.run_as_non_root };
        for (field, id) in [("runAsUser", run_as.user), ("runAsGroup", run_as.group)] {
            if let Some(id) = id.filter(|id| !(0..=MAX_ID).contains(id)) {
                self.error(format!("securityContext.{field}"), format!("{id} is no id: 0 to {MAX_ID} are"));
            }
        }
        if run_as.contradicts_itself() {
            let reason = "user 0 is root, and runAsNonRoot refuses root: change one of them";
            self.error("securityContext.runAsUser", reason);
        }
        run_as
    }
}
