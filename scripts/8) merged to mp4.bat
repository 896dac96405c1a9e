@echo off
setlocal EnableExtensions DisableDelayedExpansion
rem 8) merged to mp4 (written by make_launchers.py)
set "ERRORLEVEL="
set DFL_EXIT=1
set "DFL_SCRIPTS=%~dp0"
set "DFL_CALL=%%DFL_SCRIPTS%%env.bat"
call "%DFL_CALL%"
if errorlevel 1 goto end
"%DFL_PYTHON_EXE%" %DFL_VIA% "%DFL_ROOT%\main.py" videoed video-from-sequence --input-dir "%DFL_WORKSPACE%\data_dst\merged" --output-file "%DFL_WORKSPACE%\result.mp4" --reference-file "%DFL_WORKSPACE%\data_dst.*" --include-audio %*
set DFL_EXIT=%ERRORLEVEL%
if not %DFL_EXIT%==0 goto end
"%DFL_PYTHON_EXE%" %DFL_VIA% "%DFL_ROOT%\main.py" videoed video-from-sequence --reference-file "%DFL_WORKSPACE%\data_dst.*" %* --input-dir "%DFL_WORKSPACE%\data_dst\merged_mask" --output-file "%DFL_WORKSPACE%\result_mask.mp4" --lossless
set DFL_EXIT=%ERRORLEVEL%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
