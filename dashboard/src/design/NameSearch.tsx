import { SearchField } from "./SearchField";

/** Narrows a list by some letters of names. */
export function NameSearch({ value, onChange }: { value: string; onChange: (text: string) => void }) {
  return (
    <search>
      <SearchField
        label="Part of the name"
        placeholder="Name contains"
        width="20rem"
        value={value}
        onChange={onChange}
      />
    </search>
  );
}
