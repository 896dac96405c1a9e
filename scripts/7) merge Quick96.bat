@echo off
rem 7) merge Quick96 (written by make_launchers.py)
call "%~dp0env.bat"
if errorlevel 1 exit /b 1
"%DFL_PYTHON_EXE%" "%DFL_ROOT%\main.py" merge --input-dir "%DFL_WORKSPACE%\data_dst" --output-dir "%DFL_WORKSPACE%\data_dst\merged" --output-mask-dir "%DFL_WORKSPACE%\data_dst\merged_mask" --aligned-dir "%DFL_WORKSPACE%\data_dst\aligned" --model-dir "%DFL_WORKSPACE%\model" --model Quick96 %*
set DFL_EXIT=%errorlevel%
:end
if not defined DFL_NO_PAUSE pause
exit /b %DFL_EXIT%
