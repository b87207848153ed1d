/** Filters of KFP's lists. */
type Operation =
  | "EQUALS"
  | "NOT_EQUALS"
  | "GREATER_THAN"
  | "GREATER_THAN_EQUALS"
  | "LESS_THAN"
  | "LESS_THAN_EQUALS"
  | "IN"
  | "IS_SUBSTRING";

export interface Predicate {
  key: string;
  operation: Operation;
  string_value?: string;
  int_value?: number;
  timestamp_value?: string;
  string_values?: { values: string[] };
}

/** As the lists' `filter` takes it; empty when nothing is to be left out. */
export function filterText(predicates: readonly Predicate[]): string {
  return predicates.length === 0 ? "" : JSON.stringify({ predicates });
}
