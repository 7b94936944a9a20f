#!/bin/sh
# Verifies an exported ledger (one event a line) with nothing but jq and b3sum: no part of Isomorph has a hand in it.
#
#   isomorph ledger export <plan> | examples/audit/verify.sh [--open] [--head <hash>] [file]
#
# For every event: its line is one JSON object in canonical form; seq counts from 1 without a gap; prev_hash is this_hash of
# the event before; this_hash is the BLAKE3 of the line without the field this_hash; time does not run back. The last event
# must be plan.settled or plan.rejected, unless --open says that the plan still runs; --head is what it must hash to.
#
# One line a fault, exit 1; exit 2 when it could not be checked. It knows the chain and nothing else: what is legal between
# events (budget, lifecycle), and against the plan as it was admitted, is for `isomorph ledger verify`. Events of a later
# version are checked like any other. A tail that was cut off behind a `plan.rejected` is told by --head alone, since
# another command may have taken that id.
set -eu
LC_ALL=C
export LC_ALL

usage() {
  echo "usage: verify.sh [--open] [--head <hash>] [file]" >&2
  exit 2
}

open=false
head=
file=-
while [ $# -gt 0 ]; do
  case $1 in
    --open) open=true ;;
    --head)
      [ $# -ge 2 ] || usage
      head=$2
      shift
      ;;
    -) file=- ;;
    -*) usage ;;
    *) file=$1 ;;
  esac
  shift
done

for tool in jq b3sum; do
  command -v "$tool" >/dev/null 2>&1 || {
    echo "verify.sh needs $tool" >&2
    exit 2
  }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
cat -- "$file" >"$work/export" || exit 2
mkdir "$work/bytes"

# The canonical line is what was hashed, but for one field of fixed form: taking it out of the text needs no serialiser.
# Anchored at the end, because the data of an event may hold a field of that name too.
jq -Rr 'sub(",\"this_hash\":\"blake3:[0-9a-f]{64}\"(?<rest>,\"ts\":\"[^\"]*\",\"v\":[0-9]+})$"; .rest)' "$work/export" |
  {
    number=0
    while IFS= read -r bytes; do
      number=$((number + 1))
      printf '%s' "$bytes" >"$work/bytes/$number"
    done
    echo "$number" >"$work/count"
  }

# One start of b3sum for many lines. It prints what it hashed, so their order does not matter.
: >"$work/hashes"
if [ "$(cat "$work/count")" -gt 0 ]; then
  (cd "$work/bytes" && find . -type f -exec b3sum {} +) >"$work/hashes"
fi

jq -nRr --rawfile hashes "$work/hashes" --arg head "$head" --argjson open "$open" '
  # Canonical form (RFC 8785) for what events hold: keys in ASCII, numbers that jq writes as ECMAScript does.
  def canonical:
    if type == "object" then . as $object | reduce (keys_unsorted | sort[]) as $key ({}; .[$key] = ($object[$key] | canonical))
    elif type == "array" then map(canonical)
    elif type == "number" then . + 0
    else . end;
  # Some jq escape the character 127, RFC 8785 does not: written one way for the comparison, and looked for in the line,
  # where an escaped backslash in front of it would be something else.
  def written: split("\u007f") | join("\\u007f");
  def escapes_127: split("\\\\") | join("") | contains("\\u007f");
  def hash: type == "string" and test("^blake3:[0-9a-f]{64}$");

  (reduce ($hashes | split("\n")[] | select(. != "") | split("  ./")) as [$hex, $name] ({}; .[$name] = "blake3:" + $hex)) as $hashed
  | reduce inputs as $line ({number: 0, plans: {}, faults: []};
      .number += 1
      | .number as $number
      | (try ($line | fromjson) catch null) as $event
      | if ($event | type) != "object" then .faults += ["line \($number): not a JSON object"]
        elif ([$event.plan_id, $event.kind, $event.ts | type] != ["string", "string", "string"])
          or ($event.seq | type) != "number" or ($event.this_hash | hash | not) then
          .faults += ["line \($number): no event"]
        else
          (.plans[$event.plan_id] // {seq: 0, this_hash: null, ts: ""}) as $before
          | "line \($number) (\($event.plan_id) seq \($event.seq)): " as $place
          | .faults += [
              (if ($event | canonical | tojson | written) != ($line | written) or ($line | escapes_127) then
                "not in canonical form (RFC 8785)" else empty end),
              (if $event.seq != $before.seq + 1 then "seq is \($event.seq), should be \($before.seq + 1)" else empty end),
              (if $event.prev_hash != $before.this_hash then
                "prev_hash is \($event.prev_hash), the event before has \($before.this_hash)" else empty end),
              (if $event.this_hash != $hashed["\($number)"] then
                "this_hash is \($event.this_hash), the event hashes to \($hashed["\($number)"])" else empty end),
              (if $event.ts < $before.ts then "ts \($event.ts) is before \($before.ts)" else empty end)
              | $place + .]
          | .plans[$event.plan_id] = ($event | {seq, this_hash, ts, kind})
        end)
  | .faults += (
      if .number == 0 then ["the input is empty"]
      else [.plans | to_entries[]
        | (if $open or .value.kind == "plan.settled" or .value.kind == "plan.rejected" then empty
           else "\(.key): its ledger stops at seq \(.value.seq), \(.value.kind): the rest is missing, or the plan still runs (--open)" end),
          (if $head == "" or .value.this_hash == $head then empty
           else "\(.key): its last event has \(.value.this_hash), not \($head)" end)]
      end)
  | if (.faults | length) > 0 then .faults[]
    else .plans | to_entries[] | "ok: \(.value.seq) events of \(.key), head \(.value.this_hash)" end
' "$work/export" >"$work/verdict"

cat "$work/verdict"
while IFS= read -r line; do
  case $line in
    "ok: "*) ;;
    *) exit 1 ;;
  esac
done <"$work/verdict"
