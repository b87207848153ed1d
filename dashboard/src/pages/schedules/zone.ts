import { useQuery } from "@tanstack/react-query";
import { systemQuery } from "../../api/system";
import { useNamespace } from "../../app/namespace";

/** In which zone the server reads cron expressions, as far as it has told. */
export function useScheduleZone(): string | undefined {
  return useQuery(systemQuery(useNamespace())).data?.time_zone;
}
