extension DataError {
  package var hint: String? {
    switch problem {
    case .noChatTemplate:
      "`ckpt train` takes a file of Jinja with --set data.chat_template=FILE"
    case .missingField:
      "name the record's own with --set data.fields.text=NAME (or prompt and completion, or messages); "
        + "`ckpt train` leaves bad records out with --skip-bad-records"
    case .invalidUTF8, .notAnObject, .wrongType, .lineTooLong, .recordTooLong, .badChat, .cellCount:
      "correct the record; `ckpt train` leaves such records out with --skip-bad-records"
    case .tokenOutOfRange: "use the tokenizer that belongs to this model"
    case .unknownFormat:
      "formats: auto, " + DataKind.allCases.map(\.rawValue).joined(separator: ", ")
    case .unsupportedType: "store tokens as uint16, uint32, int32 or int64"
    case .notData:
      "give text, JSON, CSV, Parquet, Arrow, a tar archive or token ids; if it is one of these all the same, "
        + "say so with --set data.format=FORMAT"
    case .wideText(let encoding): "convert it: iconv -f \(encoding) -t UTF-8 FILE > OUT"
    case .ambiguous: "say which with --set data.format=bin, or rename the file"
    case .oneObject: "make JSON lines of the list in it: jq -c '.KEY[]' FILE > OUT.jsonl"
    case .preferences: "keep the chosen answers: jq -c '{messages: .chosen}' FILE > OUT.jsonl"
    case .severalSplits(let names):
      "name one: \(path)/\(names.first ?? "")"
    case .tooFewTokens: "give more data, or lower --sequence-length"
    case .noTokenizer: "train on a token file (.npy or .bin), or add a tokenizer.json"
    case .promptLength: "shorten the prompt, or lower --shots"
    case .exhausted: "raise data.epochs, or train fewer steps"
    case .noBorders:
      "give text, records, or ids with Megatron's index; tokens that an earlier ckpt prepared have to be "
        + "prepared again"
    case .badCache: "delete the file; the command that made it makes it again"
    default: nil
    }
  }
}
