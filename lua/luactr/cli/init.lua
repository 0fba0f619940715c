local M={} function M.main(a) return 0 end return M
