// Makes calls as a web client does. Each line of stdin is one, {service, method, token, request} as JSON, and is
// answered by a line with what came back: {code, reason, message, messages}. Usage: node call.js BASE_URL
import { readdirSync } from "node:fs";
import { createInterface } from "node:readline";
import { fromJson, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const OWN = new URL("./gen/docuchat/", import.meta.url);
const files = readdirSync(OWN, { recursive: true }).filter((name) => name.endsWith("_service_pb.js"));
const modules = await Promise.all(files.map((name) => import(new URL(name, OWN))));
// Every service there is, so that no test can forget one.
const SERVICES = modules.flatMap(Object.values).filter((found) => found.kind === "service");

const transport = createGrpcWebTransport({ baseUrl: process.argv[2], defaultTimeoutMs: 30000 });

const print = (schema, message) =>
  toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true });

// "InvalidArgument" -> "INVALID_ARGUMENT"
const canonical = (code) => Code[code].replace(/(?!^)([A-Z])/g, "_$1").toUpperCase();

async function send({ service: serviceName, method: methodName, token, request }) {
  const service = SERVICES.find((found) => found.typeName === serviceName);
  const method = service.methods.find((found) => found.name === methodName);
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const input = fromJson(method.input, request);
  const answer = createClient(service, transport)[method.localName](input, { headers });
  if (method.methodKind === "unary") {
    return [print(method.output, await answer)];
  }
  const messages = [];
  for await (const message of answer) {
    messages.push(print(method.output, message));
  }
  return messages;
}

async function call(line) {
  try {
    return { code: "OK", reason: "", message: "", messages: await send(JSON.parse(line)) };
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    const [info] = error.findDetails(ErrorInfoSchema);
    return { code: canonical(error.code), reason: info?.reason ?? "", message: error.rawMessage, messages: [] };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await call(line)));
}
