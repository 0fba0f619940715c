--- Layers of images: archives on the way into and out of directories that an overlay shows.
local M = {}

---@class luactr.image.limits what a layer may come to; more is the error E2BIG
---@field entries? integer files and directories (2^21)
---@field bytes? integer|string of all files, holes included (2^37); "1G" from recipes
---@field depth? integer of directories (256)
---@field ratio? integer bytes that a byte of a compressed layer becomes (250; the first 64 MiB are
---  free)

---@class luactr.image.unpack_options
---@field descriptor? luactr.image.descriptor the digest and size that the layer has to have
---@field diff_id? string the digest that the layer has to have without its compression
---@field blob? string the name of a file in the stage that gets the layer as it is
---@field limits? luactr.image.limits
---@field devices? boolean device nodes are made; otherwise they are left out
---@field privileges? boolean set-id bits and file capabilities are kept (true)
---@field progress? fun(bytes: integer) called now and then with the bytes that have been read since

---@class luactr.image.unpacked
---@field digest string of the layer as it is
---@field size integer
---@field diff_id string of its archive
---@field media_type string
---@field archive_size integer bytes of the archive
---@field files integer
---@field bytes integer of all files
---@field notices luactr.image.notice[] what was left out

---@class luactr.image.notice
---@field why string
---@field path string the first one
---@field count integer

--- Unpack a layer into a new directory of a stage, as an overlay shows it: one pass in which it is
--- kept, checked, decompressed and unpacked. After a failure nothing is left of it.
---@param source luactr.anyfd the layer, from its position on; a pipe will do
---@param stage luactr.image.stage
---@param name string of the directory
---@param options? luactr.image.unpack_options
---@return luactr.image.unpacked?
---@return luactr.error?
function M.unpack(source, stage, name, options)
  return require("luactr.image.layer.unpack").run(source, stage, name, options or {})
end

---@class luactr.image.pack_options
---@field compression? "gzip"|"zstd"|"none" ("gzip")
---@field epoch? integer seconds: nothing is newer (SOURCE_DATE_EPOCH, if that is set)
---@field ids? luactr.files.ids of the container whose users the files belong to
---@field ignored? table<string, boolean> absolute paths that are left out, not what is in them
---@field progress? fun(bytes: integer) called now and then with the bytes packed since
---@field notice? fun(path: string, why: string) told of what is left out

--- Pack a directory into a layer: the same files give the same bytes. What an overlay's upper
--- directory says of deleted files and of directories that hide others becomes what images say.
---@param source luactr.fd|string a directory
---@param to luactr.anyfd
---@param options? luactr.image.pack_options
---@return { digest: string, size: integer, diff_id: string, media_type: string, files: integer }?
---@return luactr.error?
function M.pack(source, to, options)
  return require("luactr.image.layer.pack").run(source, to, options or {})
end

return M
