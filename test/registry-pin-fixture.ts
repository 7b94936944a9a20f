/** A registry file as a person writes it: comments, flow maps, blank lines, an odd indent. */
export const registryFile = (ref: string, image: string): string => `# Who maintains it: the team of tables.
ref: ${ref}
description: "Draws: a table"   # two spaces, then a comment

# The image is built from processors/.
image: ${image}   # the tag moves
entrypoint: [ node,   processor.ts ]
runtime: { cpu: 1, memory_gb: 0.5, timeout_s: 60, network: artifacts }
adapters:
    - mock
    - local
secrets: { required: [] }
inputs:
  artifacts: {}
  params:
    type: object
    description: >-
      a long text that is folded over more than one line and would come out otherwise if anything wrote this file
      anew
outputs: []
scratch: []

read_only: false
cost: { usd_micro_fixed: 50, usd_micro_per_s: 20 }
`;
