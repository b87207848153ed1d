import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { experimentQuery, experimentsQuery } from "../../api/experiments";
import { useNamespace } from "../../app/namespace";
import { Field } from "../../design/Field";
import { Picker } from "../../design/Picker";

/** Which experiment. */
export function ExperimentField({
  chosen,
  required = false,
  none = required ? "Choose an experiment" : "Default",
  error,
  onChoose,
}: {
  chosen: string;
  required?: boolean;
  /** What it means that none is chosen. */
  none?: string;
  error?: string | undefined;
  onChoose: (id: string) => void;
}) {
  const namespace = useNamespace();
  const [text, setText] = useState("");
  const found = useInfiniteQuery(
    experimentsQuery(
      namespace,
      "AVAILABLE",
      text === "" ? [] : [{ key: "name", operation: "IS_SUBSTRING", string_value: text }],
    ),
  );
  const experiment = useQuery(experimentQuery(chosen));
  const options = found.data?.pages.flatMap((page) => page.experiments ?? []) ?? [];
  return (
    <Field label="Experiment" required={required} error={error}>
      {(ids) => (
        <Picker
          ids={ids}
          chosen={experiment.data?.display_name ?? ""}
          placeholder={none}
          isLoading={found.isFetching}
          options={options.map((it) => ({ id: it.experiment_id, name: it.display_name }))}
          onType={setText}
          onChoose={(option) => onChoose(option.id)}
        />
      )}
    </Field>
  );
}
