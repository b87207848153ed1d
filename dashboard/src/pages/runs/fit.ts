/** Which columns of a list there is room for. */

export interface Sized {
  key: string;
  /** In rem; absent for what takes all that is left. */
  width?: string;
  /** Of all that is left, what it needs. */
  least?: string;
}

/** What a name needs to be told from others, in rem. */
const NAME = "18rem";
/** Where the rows are chosen. */
const CHECK = 2.75;

const rem = ({ width, least }: Sized) => Number.parseFloat(width ?? least ?? NAME);

/** The columns for a width in rem; all of them while it is not known. Those of least worth go first. */
export function fitting<Column extends Sized>(
  columns: readonly Column[],
  width: number | undefined,
  leastWorth: readonly string[],
  hasChecks: boolean,
): Column[] {
  let shown = [...columns];
  if (width === undefined) {
    return shown;
  }
  for (const key of leastWorth) {
    const needed = (hasChecks ? CHECK : 0) + shown.reduce((sum, column) => sum + rem(column), 0);
    if (needed <= width) {
      break;
    }
    shown = shown.filter((column) => column.key !== key);
  }
  return shown;
}
