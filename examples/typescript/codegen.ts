import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../schema.graphql",
  documents: ["../queries/*.graphql"],
  // ES modules name the file that they import.
  emitLegacyCommonJSImports: false,
  generates: {
    "dist/types/": {
      preset: "client",
      presetConfig: { fragmentMasking: false },
      config: {
        documentMode: "string",
        enumsAsTypes: true,
        // Every scalar is a string on the wire; see docs/api.md.
        strictScalars: true,
        scalars: { BigInt: "string", Currency: "string", Date: "string", DateTime: "string", JSON: "unknown" },
      },
    },
  },
};

export default config;
